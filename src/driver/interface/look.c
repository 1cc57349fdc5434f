/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See interface.h. What a file of /sys does not say is left out: drivers differ in what they tell. */
#define ERROR_DOMAIN VIR_FROM_INTERFACE

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/text.h"
#include "driver/interface/interface.h"

#define FOLDER "/sys/class/net"
#define VLANS "/proc/net/vlan"
#define VALUE_BYTES_MAX 65536

/* The first line of a file; NULL: it says nothing. */
static char *
read_value(const char *name, const char *file)
{
    g_autofree char *path = g_build_filename(FOLDER, name, file, NULL);
    gsize len = 0;
    char *text = file_read(path, VALUE_BYTES_MAX, &len, NULL);

    return text ? g_strchomp(text) : NULL;
}

static bool
read_number(const char *name, const char *file, unsigned int *value)
{
    g_autofree char *text = read_value(name, file);

    return text && text_to_uint(text, 10, value);
}

static bool
has(const char *name, const char *file)
{
    g_autofree char *path = g_build_filename(FOLDER, name, file, NULL);

    return file_exists(path);
}

char **
interface_names(GError **err)
{
    g_auto(GStrv) all = dir_list(FOLDER, err);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    if (!all)
        return NULL;
    /* The folder has a file of its own beside the links (bonding_masters). */
    for (char **name = all; *name; name++)
        if (has(*name, "ifindex"))
            g_ptr_array_add(names, g_strdup(*name));
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

bool
interface_is_up(const char *name)
{
    g_autofree char *state = read_value(name, "operstate");

    return g_strcmp0(state, "up") == 0;
}

char *
interface_mac(const char *name)
{
    char *text = read_value(name, "address");

    return text ? text : g_strdup("");
}

bool
interface_check(const char *name, GError **err)
{
    return (name_is_component(name) && has(name, "ifindex")) ||
           fail(err, VIR_ERR_NO_INTERFACE, "couldn't find interface named '%s'", name);
}

static HostInterface *look_shallow(const char *name);

static void
look_bridge(HostInterface *interface)
{
    HostBridge *bridge = interface->bridge = host_bridge_new();
    g_autofree char *folder = g_build_filename(FOLDER, interface->name, "brif", NULL);
    g_auto(GStrv) ports = dir_list(folder, NULL);
    unsigned int value;

    if (read_number(interface->name, "bridge/stp_state", &value))
        bridge->stp = value ? TRISTATE_ON : TRISTATE_OFF;
    if (read_number(interface->name, "bridge/forward_delay", &value))
        bridge->delay = g_strdup_printf("%u.%02u", value / 100, value % 100);
    for (char **port = ports; port && *port; port++)
        model_append(bridge, ports, look_shallow(*port));
}

/* "active-backup 1": the word, not the number. */
static char *
read_word(const char *name, const char *file)
{
    char *text = read_value(name, file);
    char *blank = text ? strchr(text, ' ') : NULL;

    if (blank)
        *blank = '\0';
    return text;
}

static void
look_bond(HostInterface *interface)
{
    const char *name = interface->name;
    HostBond *bond = interface->bond = host_bond_new();
    g_autofree char *text = read_value(name, "bonding/slaves");
    g_auto(GStrv) ports = g_strsplit(text ? text : "", " ", -1);
    unsigned int value;

    bond->mode = read_word(name, "bonding/mode");
    if (read_number(name, "bonding/arp_interval", &value) && value) {
        bond->has_arpmon_interval = true;
        bond->arpmon_interval = value;
        bond->arpmon_target = read_word(name, "bonding/arp_ip_target");
        bond->arpmon_validate = read_word(name, "bonding/arp_validate");
    } else if (read_number(name, "bonding/miimon", &value) && value) {
        bond->has_miimon_freq = true;
        bond->miimon_freq = value;
        bond->has_miimon_downdelay =
            read_number(name, "bonding/downdelay", &bond->miimon_downdelay);
        bond->has_miimon_updelay = read_number(name, "bonding/updelay", &bond->miimon_updelay);
    }
    for (char **port = ports; *port; port++)
        if (**port && interface_check(*port, NULL))
            model_append(bond, ports, look_shallow(*port));
}

/* "eth0.5  VID: 5	 REORDER_HDR: ..." and "Device: eth0" in a file of the kernel's VLAN module. */
static bool
look_vlan(HostInterface *interface)
{
    g_autofree char *path = g_build_filename(VLANS, interface->name, NULL);
    gsize len = 0;
    g_autofree char *text = file_read(path, VALUE_BYTES_MAX, &len, NULL);
    const char *number = text ? strstr(text, "VID: ") : NULL;
    const char *device = text ? strstr(text, "Device: ") : NULL;

    if (!number || !device)
        return false;
    interface->vlan = host_vlan_new();
    interface->vlan->tag = (guint)g_ascii_strtoull(number + strlen("VID: "), NULL, 10);
    device += strlen("Device: ");
    interface->vlan->interface_name = g_strndup(device, strcspn(device, "\n"));
    return true;
}

/* Without what lies below it. */
static HostInterface *
look_shallow(const char *name)
{
    HostInterface *interface = host_interface_new();
    g_autofree char *mac = interface_mac(name);
    g_autofree char *state = read_value(name, "operstate");
    unsigned int value;

    interface->type = HOST_INTERFACE_TYPE_ETHERNET;
    interface->name = g_strdup(name);
    interface->link_state = state ? host_interface_state_from_string(state) : 0;
    if (interface->link_state == HOST_INTERFACE_STATE_UP && read_number(name, "speed", &value)) {
        interface->has_link_speed = true;
        interface->link_speed = value;
    }
    interface->has_mac_address = mac_parse(mac, interface->mac_address);
    interface->has_mtu_size = read_number(name, "mtu", &interface->mtu_size);
    return interface;
}

HostInterface *
interface_look(const char *name, GError **err)
{
    HostInterface *interface;

    if (!interface_check(name, err))
        return NULL;
    interface = look_shallow(name);
    if (has(name, "bridge")) {
        interface->type = HOST_INTERFACE_TYPE_BRIDGE;
        look_bridge(interface);
    } else if (has(name, "bonding")) {
        interface->type = HOST_INTERFACE_TYPE_BOND;
        look_bond(interface);
    } else if (look_vlan(interface)) {
        interface->type = HOST_INTERFACE_TYPE_VLAN;
    }
    return interface;
}
