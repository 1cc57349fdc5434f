/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PCI buses of a machine while addresses are given out: which slots are taken, what each bus accepts.
 * Used by domain_address_pci.c (who goes where) only. */
#pragma once

#include "model/domain_rules.h"

/* What can be plugged: kinds of connection. A bus accepts a set, a device wants one. */
typedef enum {
    PCI_DEVICE = 1 << 0,
    PCIE_DEVICE = 1 << 1,
    PCIE_ROOT_PORT = 1 << 2,
    PCIE_UPSTREAM_PORT = 1 << 3,
    PCIE_DOWNSTREAM_PORT = 1 << 4,
    DMI_TO_PCI_BRIDGE = 1 << 5,
    PCI_EXPANDER = 1 << 6,
    PCIE_EXPANDER = 1 << 7,
    PCI_BRIDGE = 1 << 8,
    PCIE_TO_PCI_BRIDGE = 1 << 9,
    PCI_CONNECTIONS = (1 << 10) - 1,
    PCI_ENDPOINTS = PCI_DEVICE | PCIE_DEVICE,
    PCI_HOTPLUGGABLE = 1 << 10, /* wants, or is, a place that can be plugged into later */
    PCI_SHARES_SLOT = 1 << 11,  /* may share a slot with others of its kind, one function each */
    PCI_INTEGRATED = 1 << 12,   /* must sit on the root bus */
} PciConnect;

typedef struct {
    guint8 functions; /* taken, one bit each */
    bool is_shared;   /* taken by devices that may share it */
} PciSlot;

typedef struct {
    ControllerModel model;
    guint accepts; /* PciConnect */
    guint min_slot, max_slot;
    PciSlot slots[32];
} PciBus;

typedef struct {
    PciBus *buses;
    guint n_buses;
    bool has_pcie_root;
    bool may_grow; /* buses may be added */
} PciBuses;

PciBuses *pci_buses_new(const Domain *dom, guint n_buses, bool may_grow, GError **err);
void pci_buses_free(PciBuses *buses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PciBuses, pci_buses_free)

guint pci_connect_of_controller(ControllerModel model);
bool pci_slot_is_used(const PciBuses *buses, const PciAddress *address);
/* Take the function at @address for a device that wants @connect; @is_users: the address was written by the user. */
bool pci_reserve(PciBuses *buses, const PciAddress *address, guint connect, bool is_users,
                 GError **err);
/* Is there a place for @connect without adding a bus? */
bool pci_has_room(const PciBuses *buses, guint connect);
/* The next free place for @connect, added buses included; taken already. @function -1: a whole slot. */
bool pci_reserve_next(PciBuses *buses, guint connect, int function, PciAddress *address,
                      GError **err);
