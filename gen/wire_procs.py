# SPDX-License-Identifier: LGPL-2.1-or-later
# Emits api-procs.[ch]: the table of all procedures with what the dispatcher and the client need to
# know of each: codecs, who may call it, where it runs, which object its arguments name.
from __future__ import annotations

from wire_ctypes import c_field, generated
from wire_schema import OBJECT_OF_TYPE, Field, Permission, Proc, SchemaError, Wire

OBJECTS = ["connect", "domain", "domain_snapshot", "domain_checkpoint", "interface", "network",
           "network_port", "node_device", "nwfilter", "nwfilter_binding", "secret", "storage_pool",
           "storage_vol"]
# Where the uuid of the object that owns a strand lies inside the named object.
OWNERS = {"domain": ("domain", "uuid"), "domain_snapshot": ("domain", "dom.uuid"),
          "domain_checkpoint": ("domain", "dom.uuid"), "network": ("network", "uuid"),
          "network_port": ("network", "net.uuid"), "nwfilter": ("nwfilter", "uuid"),
          "secret": ("secret", "uuid"), "storage_pool": ("storage_pool", "uuid")}

HEADER = '''#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/api-codec.h"

typedef enum { API_CALL, API_EVENT, API_MESSAGE } ApiProcKind;

/* Where a call runs. */
typedef enum {
    API_RUN_LOOP,   /* at once, on the loop's thread, from a view */
    API_RUN_WORKER, /* on a pool thread */
    API_RUN_STRAND, /* on a pool thread, one at a time for the owner */
    API_RUN_SERVER, /* in the server itself, on the loop's thread */
} ApiRun;

enum {
    API_WRITE = 1 << 0,       /* refused on a read-only connection, whatever its flags */
    API_BEFORE_AUTH = 1 << 1, /* allowed before login */
    API_STREAM_IN = 1 << 2,   /* opens a stream on which the client sends */
    API_STREAM_OUT = 1 << 3,  /* opens a stream on which the daemon sends */
    API_FDS_IN = 1 << 4,      /* descriptors come with the call */
    API_FDS_OUT = 1 << 5,     /* descriptors come with the reply */
    API_HIGH = 1 << 6,        /* upstream's priority: never waits for a hypervisor */
};

typedef enum { API_ALWAYS, API_IF, API_UNLESS, API_IF_EQUAL } ApiWhen;
'''
STRUCTS = '''
/* One permission that a call needs, always or depending on one of its arguments. */
typedef struct ApiPermission {
    ApiObjectKind object;
    const char *name;     /* "read_secure" */
    ApiWhen when;
    gint32 param_offset;  /* of the guint32 in the arguments that @when looks at */
    guint32 mask;
    bool is_write;        /* never on a read-only connection */
    bool is_open;         /* the shipped policy lets every local user have it */
} ApiPermission;

typedef struct ApiProc {
    guint32 program;
    gint32 number;
    const char *name;      /* "domain_get_info" */
    const char *function;  /* "virDomainGetInfo", for errors */
    ApiProcKind kind;
    ApiRun run;
    guint32 flags;
    const CodecType *args; /* NULL: nothing travels; the message itself for events */
    const CodecType *ret;
    const ApiPermission *acl;
    guint32 n_acl;
    const ApiPermission *filter;  /* of each element of a returned list, or NULL */
    ApiObjectKind object;         /* named by the arguments */
    gint32 object_offset;         /* of its wire structure in the arguments; -1: none */
    ApiObjectKind owner;          /* whose strand it is */
    gint32 owner_uuid_offset;     /* in the arguments; -1: none */
    ApiObjectKind ret_object;     /* returned object */
    gint32 ret_object_offset;
    gint32 flags_offset;          /* of the 32-bit `flags` argument; -1: none */
    gint32 slot_offset;           /* in DriverSlots (gen/api-driver.h); -1: none */
} ApiProc;
'''
FUNCTIONS = '''
extern const ApiProc api_procs[API_N_PROCS];
/* The table entry by name: API_PROC(REMOTE_DOMAIN_GET_INFO). */
#define API_PROC(symbol) (&api_procs[API_##symbol])

/* NULL when there is no such procedure; @version is set to the program's version, 0 if the program is unknown. */
const ApiProc *api_proc_find(guint32 program, gint32 number, guint32 *version);
const ApiProc *api_proc_by_name(guint32 program, const char *name);

/* Does @permission apply to these decoded arguments? */
bool api_permission_applies(const ApiPermission *permission, const void *args);
/* May a read-only connection not make this call with these arguments? */
bool api_needs_write(const ApiProc *proc, const void *args);
'''
SOURCE = '''
const ApiProc *
api_proc_find(guint32 program, gint32 number, guint32 *version)
{
    if (version)
        *version = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        if (programs[i].program != program)
            continue;
        if (version)
            *version = programs[i].version;
        if (number < 1 || number > programs[i].count)
            return NULL;
        return &api_procs[programs[i].first + number - 1];
    }
    return NULL;
}

const ApiProc *
api_proc_by_name(guint32 program, const char *name)
{
    for (gsize i = 0; i < API_N_PROCS; i++) {
        if (api_procs[i].program == program && g_str_equal(api_procs[i].name, name))
            return &api_procs[i];
    }
    return NULL;
}

bool
api_permission_applies(const ApiPermission *permission, const void *args)
{
    guint32 value;

    if (permission->when == API_ALWAYS)
        return true;
    value = *(const guint32 *)((const char *)args + permission->param_offset);
    if (permission->when == API_IF_EQUAL)
        return value == permission->mask;
    return ((value & permission->mask) != 0) == (permission->when == API_IF);
}

bool
api_needs_write(const ApiProc *proc, const void *args)
{
    if (proc->flags & API_WRITE)
        return true;
    for (guint32 i = 0; i < proc->n_acl; i++) {
        if (proc->acl[i].is_write && api_permission_applies(&proc->acl[i], args))
            return true;
    }
    return false;
}
'''


def emit_header(wire: Wire) -> str:
    out = [generated("the table of procedures"), HEADER, "typedef enum {", "    API_OBJECT_NONE,"]
    out += [f"    API_OBJECT_{name.upper()}," for name in OBJECTS]
    out += ["    API_N_OBJECTS,", "} ApiObjectKind;", STRUCTS]
    for program in wire.programs.values():
        if program.procs:
            out.append("enum {")
            out += [f"    {program.prefix}PROC_{proc.name.upper()} = {proc.number},"
                    for proc in program.procs]
            out.append("};\n")
    out.append("enum {")
    out += [f"    API_{proc.symbol.upper()}," for proc in wire.procs]
    out += ["    API_N_PROCS,", "};", FUNCTIONS]
    return "\n".join(out)


def emit_source(wire: Wire) -> str:
    out = [generated("the table of procedures"),
           '#include "gen/api-procs.h"\n\n#include <libvirt/libvirt.h>\n#include <stddef.h>\n\n'
           '#include "gen/api-driver.h"\n']
    for proc in wire.procs:
        if proc.acl:
            out.append(f"static const ApiPermission {proc.symbol}_acl[] = {{")
            out += [f"    {permission(wire, proc, p)}," for p in proc.acl]
            out.append("};")
        if proc.filter:
            out.append(f"static const ApiPermission {proc.symbol}_filter = "
                       f"{permission(wire, proc, proc.filter)};")
    out.append("\nconst ApiProc api_procs[API_N_PROCS] = {")
    out += [row(wire, proc) for proc in wire.procs]
    out += ["};", "", "static const struct { guint32 program, version; gint32 first, count; } "
            "programs[] = {"]
    first = 0
    for program in wire.programs.values():
        if not program.procs:
            continue
        for index, proc in enumerate(program.procs, 1):
            if proc.number != index:
                raise SchemaError(proc.where, f"number {index} is missing before {proc.number}")
        out.append(f"    {{ {program.prefix}PROGRAM, {program.prefix}PROTOCOL_VERSION, {first}, "
                   f"{len(program.procs)} }},")
        first += len(program.procs)
    out += ["};", SOURCE]
    return "\n".join(out)


def permission(wire: Wire, proc: Proc, p: Permission) -> str:
    when, offset = "API_ALWAYS", "-1"
    if p.when:
        when = {"if": "API_IF", "unless": "API_UNLESS"}[p.when]
        when = "API_IF_EQUAL" if p.equals else when
        assert proc.args
        value = proc.arg(p.param)
        if value is None or value.base != "uint" or value.counted or value.optional:
            raise SchemaError(p.where, f"'{p.param}' must be a uint to be looked at")
        offset = f"offsetof({proc.args.c_name}, {c_field(p.param)})"
    word = wire.permissions[p.object, p.name]
    return (f'{{ API_OBJECT_{p.object.upper()}, "{p.name}", {when}, {offset}, '
            f"{' | '.join(p.masks) or 0}, {c_bool(word == 'change')}, {c_bool(word == 'anyone')} }}")


def row(wire: Wire, proc: Proc) -> str:
    args, ret = proc.args, proc.ret
    flags = proc.arg("flags")
    has_flags = flags and flags.base == "uint"
    parts = [
        f"{proc.program.prefix}PROGRAM, {proc.number}, \"{proc.name}\", \"{proc.c_function}\", "
        f"API_{proc.kind.upper()}, API_RUN_{proc.run.upper()}, {flag_words(wire, proc)}",
        f"{'&' + args.c_name + '_codec' if args else 'NULL'}, "
        f"{'&' + ret.c_name + '_codec' if ret else 'NULL'}",
        f"{proc.symbol}_acl, {len(proc.acl)}" if proc.acl else "NULL, 0",
        f"&{proc.symbol}_filter" if proc.filter else "NULL",
        objects(proc),
        f"offsetof({args.c_name}, flags)" if args and has_flags else "-1",
        f"offsetof(DriverSlots, {slot_name(proc)})" if has_slot(proc) else "-1",
    ]
    return "    { " + ",\n      ".join(parts) + " },"


def flag_words(wire: Wire, proc: Proc) -> str:
    words = {
        "API_WRITE": proc.kind == "call" and wire.is_write(proc), "API_BEFORE_AUTH": proc.before_auth,
        "API_STREAM_IN": proc.stream == "write", "API_STREAM_OUT": proc.stream == "read",
        "API_FDS_IN": proc.fds in ("in", "both"), "API_FDS_OUT": proc.fds in ("out", "both"),
        "API_HIGH": proc.high,
    }
    return " | ".join(word for word, is_set in words.items() if is_set) or "0"


def objects(proc: Proc) -> str:
    """object, object_offset, owner, owner_uuid_offset, ret_object, ret_object_offset"""
    named, owner, returned = "API_OBJECT_NONE, -1", "API_OBJECT_NONE, -1", "API_OBJECT_NONE, -1"
    value, kind = named_object(proc)
    if proc.args and value:
        name = c_field(value.name)
        named = f"API_OBJECT_{kind.upper()}, offsetof({proc.args.c_name}, {name})"
        if kind in OWNERS:
            owner_kind, path = OWNERS[kind]
            owner = (f"API_OBJECT_{owner_kind.upper()}, "
                     f"offsetof({proc.args.c_name}, {name}.{path})")
    for value in proc.ret.fields if proc.ret else []:
        kind = object_kind(value)
        if kind and proc.ret:
            returned = f"API_OBJECT_{kind.upper()}, offsetof({proc.ret.c_name}, {c_field(value.name)})"
    if proc.run == "strand" and owner.endswith("-1"):
        raise SchemaError(proc.where, f"{proc.name} names no object that has a strand: worker")
    return f"{named}, {owner}, {returned}"


def named_object(proc: Proc) -> tuple[Field | None, str]:
    """The first argument, when it is an object; a node device goes by its name alone."""
    value = proc.args.fields[0] if proc.args else None
    if value is None or proc.kind != "call":
        return None, ""
    kind = object_kind(value)
    if not kind and value.base == "string" and value.name == "name" and not value.optional \
            and proc.name.startswith("node_device_") and "lookup" not in proc.name:
        kind = "node_device"
    return (value, kind) if kind else (None, "")


def object_kind(value: Field) -> str:
    if value.struct is None or value.optional or value.counted:
        return ""
    return OBJECT_OF_TYPE.get(value.struct.name, "")


def slot_name(proc: Proc) -> str:
    return proc.name if proc.program.name == "remote" else proc.symbol


def has_slot(proc: Proc) -> bool:
    return proc.kind == "call" and proc.program.name in ("remote", "qemu", "lxc", "manifold")


def c_bool(value: bool) -> str:
    return "true" if value else "false"
