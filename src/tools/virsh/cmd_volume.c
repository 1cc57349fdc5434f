/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of storage pools. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/size.h"
#include "tools/virsh/stream.h"
#include "tools/virsh/xml.h"
#include "tools/virsh/xpath.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStoragePool, virStoragePoolFree)

static virStoragePoolPtr
args_pool(Shell *shell, const Args *args, const char *option)
{
    const char *name = args_text(args, option);
    virStoragePoolPtr pool = pool_kind.find(shell, name);

    if (!pool)
        shell_fail(shell, "failed to get pool '%s'", name);
    return pool;
}

/* A name within --@pool_option, else a key or path. */
static virStorageVolPtr
args_volume_of(Shell *shell, const Args *args, const char *option, const char *pool_option)
{
    virConnectPtr conn = shell_connection(shell);
    const char *name = args_text(args, option);
    g_autoptr(virStoragePool) pool = NULL;
    virStorageVolPtr volume = NULL;

    if (args_has(args, pool_option)) {
        pool = args_pool(shell, args, pool_option);
        if (!pool)
            return NULL;
        if (virStoragePoolIsActive(pool) != 1) {
            shell_fail(shell, "pool '%s' is not active", args_text(args, pool_option));
            return NULL;
        }
        volume = virStorageVolLookupByName(pool, name);
    }
    if (!volume)
        volume = virStorageVolLookupByKey(conn, name);
    if (!volume)
        volume = virStorageVolLookupByPath(conn, name);
    if (!volume && pool) {
        shell_fail(shell, "failed to get vol '%s'", name);
    } else if (!volume) {
        shell_fail(shell, "failed to get vol '%s', specifying --%s might help", name, pool_option);
    }
    return volume;
}

static virStorageVolPtr
args_volume(Shell *shell, const Args *args)
{
    return args_volume_of(shell, args, "vol", "pool");
}

#define VOLUME REQUIRED_OF("vol", complete_volume, "name, key or path of the volume")
#define IN_POOL TEXT_OF("pool", complete_pool, "pool of the volume; needed for a name")
#define PREALLOC FLAG("prealloc-metadata", "write the metadata of qcow2 at once")

static unsigned int
create_flags(const Args *args)
{
    static const FlagBit bits[] = {
        {"prealloc-metadata", VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA},
        {"reflink", VIR_STORAGE_VOL_CREATE_REFLINK},
        {"validate", VIR_STORAGE_VOL_CREATE_VALIDATE},
    };

    return ARGS_BITS(args, bits);
}

/* ---- create ---- */

static bool
append_backing(Shell *shell, const Args *args, virStoragePoolPtr pool, GString *xml)
{
    const char *name = args_text(args, "backing-vol");
    g_autoptr(virStorageVol) backing = NULL;
    g_autofree char *path = NULL;

    if (!name)
        return true;
    backing = virStorageVolLookupByName(pool, name);
    if (!backing)
        backing = virStorageVolLookupByPath(shell_connection(shell), name);
    if (!backing)
        backing = virStorageVolLookupByKey(shell_connection(shell), name);
    if (!backing)
        return shell_fail(shell, "failed to get vol '%s'", name);
    shell_forget_error();
    path = virStorageVolGetPath(backing);
    if (!path)
        return false;
    g_string_append(xml, "  <backingStore>\n");
    xml_append_element(xml, "    ", "path", path);
    if (args_has(args, "backing-vol-format")) {
        g_string_append(xml, "    <format");
        xml_append_attribute(xml, "type", args_text(args, "backing-vol-format"));
        g_string_append(xml, "/>\n");
    }
    g_string_append(xml, "  </backingStore>\n");
    return true;
}

static bool
cmd_create_as(Shell *shell, const Args *args)
{
    const char *name = args_text(args, "name");
    unsigned long long capacity = 0, allocation = 0;
    g_autoptr(virStoragePool) pool = NULL;
    g_autoptr(virStorageVol) volume = NULL;
    g_autoptr(GString) xml = g_string_new("<volume>\n");

    if (!args_bytes(shell, args, "capacity", 1, &capacity) ||
        !args_bytes(shell, args, "allocation", 1, &allocation))
        return false;
    pool = args_pool(shell, args, "pool");
    if (!pool)
        return false;
    xml_append_element(xml, "  ", "name", name);
    g_string_append_printf(xml, "  <capacity>%llu</capacity>\n", capacity);
    if (args_has(args, "allocation"))
        g_string_append_printf(xml, "  <allocation>%llu</allocation>\n", allocation);
    if (args_has(args, "format")) {
        g_string_append(xml, "  <target>\n    <format");
        xml_append_attribute(xml, "type", args_text(args, "format"));
        g_string_append(xml, "/>\n  </target>\n");
    }
    if (!append_backing(shell, args, pool, xml))
        return false;
    g_string_append(xml, "</volume>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    volume = virStorageVolCreateXML(pool, xml->str, create_flags(args));
    if (!volume)
        return shell_fail(shell, "Failed to create vol %s", name);
    shell_note(shell, "Vol %s created\n", name);
    return true;
}

static const Option create_as_options[] = {
    REQUIRED_OF("pool", complete_pool, "name or uuid of the pool"),
    REQUIRED("name", "name of the volume"),
    REQUIRED("capacity", "size, bytes unless a unit follows: 20GiB"),
    TEXT("allocation", "size to allocate at once"),
    CHOICE("format", "raw,qcow2,qed,vmdk,bochs,dmg,vpc,cow", "format of the file"),
    TEXT_OF("backing-vol", complete_volume, "volume beneath"),
    CHOICE("backing-vol-format", "raw,qcow2,qed,vmdk", "its format"),
    PREALLOC,
    FLAG("print-xml", "print the XML and do nothing"),
    END_OF_OPTIONS,
};

static bool
cmd_create(Shell *shell, const Args *args)
{
    const char *file = args_text(args, "file");
    g_autoptr(virStoragePool) pool = args_pool(shell, args, "pool");
    g_autofree char *xml = pool ? args_file(shell, args, "file") : NULL;
    g_autoptr(virStorageVol) source = NULL, volume = NULL;
    bool from = args_has(args, "vol");

    if (!xml)
        return false;
    if (from) {
        source = args_volume_of(shell, args, "vol", "inputpool");
        if (!source)
            return false;
        volume = virStorageVolCreateXMLFrom(pool, xml, source, create_flags(args));
    } else {
        volume = virStorageVolCreateXML(pool, xml, create_flags(args));
    }
    if (!volume)
        return shell_fail(shell, "Failed to create vol from %s", file);
    if (from)
        shell_note(shell, "Vol %s created from input vol %s\n", virStorageVolGetName(volume),
                   virStorageVolGetName(source));
    else
        shell_note(shell, "Vol %s created from %s\n", virStorageVolGetName(volume), file);
    return true;
}

static const Option create_options[] = {
    REQUIRED_OF("pool", complete_pool, "name or uuid of the pool"),
    FILE_ARGUMENT("file with the volume's XML"),
    PREALLOC,
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static const Option create_from_options[] = {
    REQUIRED_OF("pool", complete_pool, "name or uuid of the pool"),
    FILE_ARGUMENT("file with the volume's XML"),
    REQUIRED_OF("vol", complete_volume, "volume to copy"),
    TEXT_OF("inputpool", complete_pool, "pool of the volume to copy"),
    PREALLOC,
    FLAG("reflink", "share blocks with the original"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static bool
cmd_clone(Shell *shell, const Args *args)
{
    const char *name = args_text(args, "newname");
    g_autoptr(virStorageVol) original = args_volume(shell, args), copy = NULL;
    g_autoptr(virStoragePool) pool = original ? virStoragePoolLookupByVolume(original) : NULL;
    g_autofree char *xml = pool ? virStorageVolGetXMLDesc(original, 0) : NULL;
    g_autoptr(XmlNode) root = xml ? xml_parse(xml) : NULL;
    g_autoptr(GString) fresh = g_string_new(NULL);

    if (!root)
        return original && shell_fail(shell, "failed to get parent pool");
    g_string_assign(xml_ensure_child(root, "name")->text, name);
    xml_append(fresh, root);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", fresh->str);
        return true;
    }
    copy = virStorageVolCreateXMLFrom(pool, fresh->str, original, create_flags(args));
    if (!copy)
        return shell_fail(shell, "Failed to clone vol from %s", virStorageVolGetName(original));
    shell_note(shell, "Vol %s cloned from %s\n", virStorageVolGetName(copy),
               virStorageVolGetName(original));
    return true;
}

static const Option clone_options[] = {
    VOLUME,
    REQUIRED("newname", "name of the copy"),
    IN_POOL,
    PREALLOC,
    FLAG("reflink", "share blocks with the original"),
    FLAG("print-xml", "print the XML and do nothing"),
    END_OF_OPTIONS,
};

/* ---- delete, wipe, resize ---- */

static bool
cmd_delete(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);
    unsigned int flags =
        args_has(args, "delete-snapshots") ? VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS : 0;

    if (!volume)
        return false;
    if (virStorageVolDelete(volume, flags) < 0)
        return shell_fail(shell, "Failed to delete vol %s", args_text(args, "vol"));
    shell_note(shell, "Vol %s deleted\n", args_text(args, "vol"));
    return true;
}

static const Option delete_options[] = {
    VOLUME, IN_POOL, FLAG("delete-snapshots", "with the snapshots inside"), END_OF_OPTIONS};

static bool
cmd_wipe(Shell *shell, const Args *args)
{
    static const char *const algorithms[] = {"zero",    "nnsa",     "dod",       "bsi",
                                             "gutmann", "schneier", "pfitzner7", "pfitzner33",
                                             "random",  "trim",     NULL};
    int algorithm = 0;
    g_autoptr(virStorageVol) volume = NULL;

    if (!args_word(shell, args, "algorithm", algorithms, &algorithm))
        return false;
    volume = args_volume(shell, args);
    if (!volume)
        return false;
    if ((args_has(args, "algorithm") ? virStorageVolWipePattern(volume, algorithm, 0)
                                     : virStorageVolWipe(volume, 0)) < 0)
        return shell_fail(shell, "Failed to wipe vol %s", virStorageVolGetName(volume));
    shell_note(shell, "Vol %s wiped\n", virStorageVolGetName(volume));
    return true;
}

static const Option wipe_options[] = {
    VOLUME, IN_POOL,
    CHOICE("algorithm", "zero,nnsa,dod,bsi,gutmann,schneier,pfitzner7,pfitzner33,random,trim",
           "what is written"),
    END_OF_OPTIONS};

static bool
cmd_resize(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"allocate", VIR_STORAGE_VOL_RESIZE_ALLOCATE},
        {"delta", VIR_STORAGE_VOL_RESIZE_DELTA},
        {"shrink", VIR_STORAGE_VOL_RESIZE_SHRINK},
    };
    const char *text = args_text(args, "capacity");
    unsigned long long capacity = 0;
    g_autoptr(virStorageVol) volume = NULL;

    if (!args_bytes(shell, args, "capacity", 1, &capacity))
        return false;
    volume = args_volume(shell, args);
    if (!volume)
        return false;
    bool delta = args_has(args, "delta");
    if (virStorageVolResize(volume, capacity, ARGS_BITS(args, bits)) < 0)
        return shell_fail(shell,
                          delta ? "Failed to change size of volume '%s' by %s"
                                : "Failed to change size of volume '%s' to %s",
                          virStorageVolGetName(volume), text);
    shell_note(shell,
               delta ? "Size of volume '%s' successfully changed by %s\n"
                     : "Size of volume '%s' successfully changed to %s\n",
               virStorageVolGetName(volume), text);
    return true;
}

static const Option resize_options[] = {
    VOLUME,
    REQUIRED("capacity", "new size, bytes unless a unit follows"),
    IN_POOL,
    FLAG("allocate", "allocate the growth at once"),
    FLAG("delta", "the size is a change"),
    FLAG("shrink", "let it become smaller"),
    END_OF_OPTIONS,
};

/* ---- contents ---- */

typedef struct {
    bool upload;
} Transfer;

static const Transfer download = {false}, upload = {true};

static bool
transfer(Shell *shell, virStorageVolPtr volume, virStreamPtr stream, int fd, bool up, bool sparse,
         const unsigned long long *range)
{
    unsigned int flags = !sparse ? 0
                         : up    ? VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
                                 : VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM;

    if ((up ? virStorageVolUpload(volume, stream, range[0], range[1], flags)
            : virStorageVolDownload(volume, stream, range[0], range[1], flags)) < 0)
        return shell_fail(shell, "cannot %s volume %s", up ? "upload to" : "download from",
                          virStorageVolGetName(volume));
    int moved;
    if (up)
        moved = sparse ? virStreamSparseSendAll(stream, stream_from_fd, stream_fd_hole,
                                                stream_fd_skip, &fd)
                       : virStreamSendAll(stream, stream_from_fd, &fd);
    else
        moved = sparse ? virStreamSparseRecvAll(stream, stream_to_fd, stream_skip_fd, &fd)
                       : virStreamRecvAll(stream, stream_to_fd, &fd);
    if (moved < 0)
        return shell_fail(
            shell, up ? "cannot send data to volume %s" : "cannot receive data from volume %s",
            virStorageVolGetName(volume));
    return virStreamFinish(stream) >= 0 ||
           shell_fail(shell, "cannot close volume %s", virStorageVolGetName(volume));
}

static bool
cmd_transfer(Shell *shell, const Args *args)
{
    bool up = ((const Transfer *)args_detail(args))->upload, made = false;
    const char *path = args_text(args, "file");
    unsigned long long range[2] = {0, 0};
    g_autoptr(virStorageVol) volume = NULL;
    g_autoptr(virStream) stream = NULL;

    if (!args_bytes(shell, args, "offset", 1, &range[0]) ||
        !args_bytes(shell, args, "length", 1, &range[1]))
        return false;
    volume = args_volume(shell, args);
    if (!volume)
        return false;
    int fd = up ? open(path, O_RDONLY | O_CLOEXEC)
                : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    made = !up && fd >= 0;
    if (!up && fd < 0)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return shell_fail(shell, up ? "cannot read %s" : "cannot create %s", path);
    stream = virStreamNew(shell_connection(shell), 0);
    bool good = stream && (made || up || ftruncate(fd, 0) == 0 || lseek(fd, 0, SEEK_CUR) < 0) &&
                transfer(shell, volume, stream, fd, up, args_has(args, "sparse"), range);
    good = (close(fd) == 0 || shell_fail(shell, "cannot close file %s", path)) && good;
    /* Half a file helps nobody. */
    if (!good && made)
        unlink(path);
    return good;
}

static const Option transfer_options[] = {
    VOLUME,
    REQUIRED_OF("file", NULL, "file on this side"),
    IN_POOL,
    NUMBER("offset", "where in the volume to begin"),
    NUMBER("length", "how much"),
    FLAG("sparse", "skip holes"),
    END_OF_OPTIONS,
};

/* ---- look ---- */

static const char *
type_name(int type)
{
    static const char *const names[] = {"file", "block", "dir", "net", "net-dir", "ploop"};

    return type >= 0 && type < (int)G_N_ELEMENTS(names) ? names[type] : "unknown";
}

static bool
cmd_info(Shell *shell, const Args *args)
{
    unsigned int flags = args_has(args, "physical") ? VIR_STORAGE_VOL_GET_PHYSICAL : 0;
    const char *label = flags ? "Physical" : "Allocation", *key = flags ? "physical" : "allocation";
    g_autoptr(virStorageVol) volume = args_volume(shell, args);
    g_autoptr(Fields) fields = fields_new(16);
    virStorageVolInfo info;

    if (!volume || (flags ? virStorageVolGetInfoFlags(volume, &info, flags)
                          : virStorageVolGetInfo(volume, &info)) < 0)
        return false;
    fields_text(fields, "Name", "name", virStorageVolGetName(volume));
    fields_text(fields, "Type", "type", type_name(info.type));
    if (args_has(args, "bytes")) {
        fields_number(fields, "Capacity", "capacity", info.capacity, "bytes");
        fields_number(fields, label, key, info.allocation, "bytes");
    } else {
        size_field(shell, fields, "Capacity", "capacity", info.capacity, false);
        size_field(shell, fields, label, key, info.allocation, false);
    }
    fields_print(shell, fields);
    return true;
}

static const Option info_options[] = {
    VOLUME,
    IN_POOL,
    FLAG("bytes", "sizes in bytes"),
    FLAG("physical", "what it takes on the host instead of what is allocated"),
    END_OF_OPTIONS,
};

static int
compare_volumes(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virStorageVolGetName(*(const virStorageVolPtr *)a),
                              virStorageVolGetName(*(const virStorageVolPtr *)b));
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const char *const plain[] = {"Name", "Path", NULL};
    static const char *const keys[] = {"name", "path", NULL};
    static const char *const full[] = {"Name", "Path", "Type", "Capacity", "Allocation", NULL};
    static const char *const full_keys[] = {"name", "path", "type", "capacity", "allocation", NULL};
    bool details = args_has(args, "details") || shell_wants_json(shell);
    g_autoptr(Table) table = table_new(details ? full : plain, details ? full_keys : keys);
    g_autoptr(virStoragePool) pool = args_pool(shell, args, "pool");
    virStorageVolPtr *volumes = NULL;

    if (!pool)
        return false;
    int n = virStoragePoolListAllVolumes(pool, &volumes, 0);
    if (n < 0)
        return shell_fail(shell, "Failed to list volumes");
    qsort(volumes, n, sizeof *volumes, compare_volumes);
    for (int i = 0; i < n; i++) {
        g_autofree char *path = virStorageVolGetPath(volumes[i]);
        virStorageVolInfo info = {0};
        table_text(table, virStorageVolGetName(volumes[i]));
        table_text(table, path ? path : shell_wants_json(shell) ? NULL : "unknown");
        if (details) {
            bool known = virStorageVolGetInfo(volumes[i], &info) == 0;
            g_autofree char *capacity = size_pretty(info.capacity);
            g_autofree char *allocation = size_pretty(info.allocation);
            table_text(table, known ? type_name(info.type) : "unknown");
            table_number_as(table, info.capacity, known ? capacity : "unknown");
            table_number_as(table, info.allocation, known ? allocation : "unknown");
        }
        shell_forget_error();
        virStorageVolFree(volumes[i]);
    }
    free(volumes);
    table_print(shell, table);
    return true;
}

static const Option list_options[] = {
    REQUIRED_OF("pool", complete_pool, "name or uuid of the pool"),
    FLAG("details", "also type and sizes"),
    END_OF_OPTIONS,
};

static bool
cmd_dumpxml(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);
    g_autofree char *xml = volume ? virStorageVolGetXMLDesc(volume, 0) : NULL;

    return xml && print_xml_parts(shell, args, xml);
}

static const Option dumpxml_options[] = {VOLUME, IN_POOL, XPATH_AND_WRAP, END_OF_OPTIONS};

static bool
cmd_key(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);

    if (volume)
        print_value(shell, "key", virStorageVolGetKey(volume));
    return volume != NULL;
}

static bool
cmd_path(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);
    g_autofree char *path = volume ? virStorageVolGetPath(volume) : NULL;

    if (path)
        print_value(shell, "path", path);
    return path != NULL;
}

static const Option volume_options[] = {VOLUME, IN_POOL, END_OF_OPTIONS};

static bool
cmd_name(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);

    if (volume)
        print_value(shell, "name", virStorageVolGetName(volume));
    return volume != NULL;
}

static const Option name_options[] = {VOLUME, END_OF_OPTIONS};

static bool
cmd_pool(Shell *shell, const Args *args)
{
    g_autoptr(virStorageVol) volume = args_volume(shell, args);
    g_autoptr(virStoragePool) pool = volume ? virStoragePoolLookupByVolume(volume) : NULL;
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (!pool)
        return volume && shell_fail(shell, "failed to get parent pool");
    if (args_has(args, "uuid") && virStoragePoolGetUUIDString(pool, uuid) < 0)
        return false;
    print_value(shell, *uuid ? "uuid" : "pool", *uuid ? uuid : virStoragePoolGetName(pool));
    return true;
}

static const Option pool_options[] = {VOLUME, FLAG("uuid", "its UUID instead of its name"),
                                      END_OF_OPTIONS};

const Command volume_commands[] = {
    {"vol-clone", cmd_clone, clone_options, "copy a volume within its pool", 0, NULL, NULL},
    {"vol-create", cmd_create, create_options, "make a volume from a file with XML", 0, NULL, NULL},
    {"vol-create-as", cmd_create_as, create_as_options, "make a volume from options", 0,
     "Example:\n  virsh vol-create-as images web1.qcow2 20GiB --format qcow2", NULL},
    {"vol-create-from", cmd_create, create_from_options, "make a volume as a copy of another", 0,
     NULL, NULL},
    {"vol-delete", cmd_delete, delete_options, "delete a volume", 0, NULL, NULL},
    {"vol-download", cmd_transfer, transfer_options, "copy a volume to a file", 0, NULL, &download},
    {"vol-dumpxml", cmd_dumpxml, dumpxml_options, "print a volume's XML", COMMAND_JSON, NULL, NULL},
    {"vol-info", cmd_info, info_options, "the most asked facts about a volume", COMMAND_JSON, NULL,
     NULL},
    {"vol-key", cmd_key, volume_options, "key of a volume", COMMAND_JSON, NULL, NULL},
    {"vol-list", cmd_list, list_options, "volumes of a pool", COMMAND_JSON, NULL, NULL},
    {"vol-name", cmd_name, name_options, "name of a volume", COMMAND_JSON, NULL, NULL},
    {"vol-path", cmd_path, volume_options, "path of a volume", COMMAND_JSON, NULL, NULL},
    {"vol-pool", cmd_pool, pool_options, "pool of a volume", COMMAND_JSON, NULL, NULL},
    {"vol-resize", cmd_resize, resize_options, "change the size of a volume", 0, NULL, NULL},
    {"vol-upload", cmd_transfer, transfer_options, "copy a file to a volume", 0, NULL, &upload},
    {"vol-wipe", cmd_wipe, wipe_options, "overwrite a volume's data", 0, NULL, NULL},
    {0},
};
