/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the value of an option can be, asked from the connection when a person presses Tab (interactive.c calls this). Errors are
 * not worth a word there: then there are no candidates. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/shell.h"
#include "tools/virsh/xml.h"

/* Every list call of the API has this form; @name gives what is typed for one of them. */
typedef int (*ListCall)(void *parent, void ***objects, unsigned int flags);
typedef const char *(*NameCall)(void *object);
typedef int (*FreeCall)(void *object);

static void
add_all(void *parent, ListCall list, unsigned int flags, NameCall name, FreeCall release,
        GPtrArray *found)
{
    void **objects = NULL;
    int n = parent ? list(parent, &objects, flags) : 0;

    for (int i = 0; i < n; i++) {
        const char *text = name(objects[i]);
        if (text)
            g_ptr_array_add(found, g_strdup(text));
        release(objects[i]);
    }
    free(objects);
}

void
complete_nothing(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
}

/* One completer a line: what it is called, how it is listed. */
#define LISTED(complete_name, list, flags, name, release)                                        \
    void complete_name(virConnectPtr conn, char **words, const Option *option, GPtrArray *found) \
    {                                                                                            \
        add_all(conn, (ListCall)list, flags, (NameCall)name, (FreeCall)release, found);          \
    }

#define DOMAINS(complete_name, flags) \
    LISTED(complete_name, virConnectListAllDomains, flags, virDomainGetName, virDomainFree)
DOMAINS(complete_domain, 0)
DOMAINS(complete_active_domain, VIR_CONNECT_LIST_DOMAINS_ACTIVE)
DOMAINS(complete_inactive_domain, VIR_CONNECT_LIST_DOMAINS_INACTIVE)
DOMAINS(complete_paused_domain, VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_OTHER)
DOMAINS(complete_running_domain, VIR_CONNECT_LIST_DOMAINS_RUNNING)
LISTED(complete_network, virConnectListAllNetworks, 0, virNetworkGetName, virNetworkFree)
LISTED(complete_pool, virConnectListAllStoragePools, 0, virStoragePoolGetName, virStoragePoolFree)
LISTED(complete_nodedev, virConnectListAllNodeDevices, 0, virNodeDeviceGetName, virNodeDeviceFree)
LISTED(complete_interface, virConnectListAllInterfaces, 0, virInterfaceGetName, virInterfaceFree)
LISTED(complete_nwfilter, virConnectListAllNWFilters, 0, virNWFilterGetName, virNWFilterFree)
LISTED(complete_binding, virConnectListAllNWFilterBindings, 0, virNWFilterBindingGetPortDev,
       virNWFilterBindingFree)

void
complete_secret(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    virSecretPtr *secrets = NULL;
    int n = conn ? virConnectListAllSecrets(conn, &secrets, 0) : 0;

    for (int i = 0; i < n; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN];
        if (virSecretGetUUIDString(secrets[i], uuid) == 0)
            g_ptr_array_add(found, g_strdup(uuid));
        virSecretFree(secrets[i]);
    }
    free(secrets);
}

/* The value of --@option before the cursor, else the first word after the command. */
static const char *
word_of(char **words, const char *option)
{
    g_autofree char *name = g_strdup_printf("--%s", option);

    for (gsize i = 1; words[0] && words[i]; i++) {
        if (g_str_equal(words[i], name))
            return words[i + 1];
    }
    return words[0] && words[1] && !g_str_has_prefix(words[1], "--") ? words[1] : NULL;
}

static virDomainPtr
domain_before(virConnectPtr conn, char **words)
{
    const char *name = word_of(words, "domain");

    return conn && name ? virDomainLookupByName(conn, name) : NULL;
}

void
complete_snapshot(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    g_autoptr(virDomain) domain = domain_before(conn, words);

    add_all(domain, (ListCall)virDomainListAllSnapshots, 0, (NameCall)virDomainSnapshotGetName,
            (FreeCall)virDomainSnapshotFree, found);
}

void
complete_checkpoint(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    g_autoptr(virDomain) domain = domain_before(conn, words);

    add_all(domain, (ListCall)virDomainListAllCheckpoints, 0, (NameCall)virDomainCheckpointGetName,
            (FreeCall)virDomainCheckpointFree, found);
}

void
complete_volume(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    virStoragePoolPtr *pools = NULL;
    int n = conn
                ? virConnectListAllStoragePools(conn, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
                : 0;

    for (int i = 0; i < n; i++) {
        add_all(pools[i], (ListCall)virStoragePoolListAllVolumes, 0, (NameCall)virStorageVolGetName,
                (FreeCall)virStorageVolFree, found);
        virStoragePoolFree(pools[i]);
    }
    free(pools);
}

/* The attribute of a child of each <@device> of the domain. */
static void
add_devices(virConnectPtr conn, char **words, const char *device, const char *child,
            const char *attribute, GPtrArray *found)
{
    g_autoptr(virDomain) domain = domain_before(conn, words);
    g_autofree char *xml = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
    g_autoptr(XmlNode) root = xml ? xml_parse(xml) : NULL;
    XmlNode *devices = xml_child(root, "devices");

    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *node = devices->children->pdata[i];
        const char *text = xml_get(xml_child(node, child), attribute);
        if (text && (!device || g_str_equal(node->name, device)))
            g_ptr_array_add(found, g_strdup(text));
    }
}

void
complete_disk(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    add_devices(conn, words, "disk", "target", "dev", found);
}

void
complete_nic(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    add_devices(conn, words, "interface", "target", "dev", found);
    add_devices(conn, words, "interface", "mac", "address", found);
}

void
complete_device_alias(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    add_devices(conn, words, NULL, "alias", "name", found);
}

void
complete_command(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    for (gsize g = 0; command_groups[g]; g++) {
        g_autoptr(GPtrArray) commands = group_commands(command_groups[g]);
        g_ptr_array_add(found, g_strdup(command_groups[g]->keyword));
        for (guint i = 0; i < commands->len; i++)
            g_ptr_array_add(found, g_strdup(((const Command *)commands->pdata[i])->name));
    }
}
