# SPDX-License-Identifier: LGPL-2.1-or-later
# Emits api-events.[ch]: for each public event the message that carries it to clients that register
# callbacks, and the message of the old registrations.
from __future__ import annotations

from wire_ctypes import c_field, generated
from wire_procs import object_kind
from wire_schema import Event, Wire

HEADER = '''
typedef struct ApiEvent {
    ApiEventClass cls;
    gint32 id;             /* public number within the class */
    const char *name;      /* "VIR_DOMAIN_EVENT_ID_REBOOT" */
    const ApiProc *proc;   /* message with a leading callbackID; its codec is proc->args */
    const ApiProc *legacy; /* message without callbackID for old registrations, or NULL */
    gint32 legacy_offset;  /* of the old message inside the new one */
    ApiObjectKind object;  /* whose event it is */
    gint32 object_offset;  /* of its wire structure inside the message; -1: none */
} ApiEvent;

typedef struct ApiEventClassInfo {
    const ApiProc *register_proc, *deregister_proc;
    gint32 n_ids;          /* ids are below this */
    gint32 first;          /* index of id 0 in api_events */
} ApiEventClassInfo;

extern const ApiEvent api_events[];
extern const ApiEventClassInfo api_event_classes[API_N_EVENT_CLASSES];

/* NULL when there is no such event. */
const ApiEvent *api_event_find(ApiEventClass cls, gint32 id);
/* The event that @proc carries, in its new or its old form; NULL when it is no event. */
const ApiEvent *api_event_of_proc(const ApiProc *proc);
'''
SOURCE = '''
const ApiEvent *
api_event_find(ApiEventClass cls, gint32 id)
{
    if ((guint)cls >= API_N_EVENT_CLASSES || id < 0 || id >= api_event_classes[cls].n_ids)
        return NULL;
    return &api_events[api_event_classes[cls].first + id];
}

const ApiEvent *
api_event_of_proc(const ApiProc *proc)
{
    for (gsize i = 0; i < G_N_ELEMENTS(api_events); i++) {
        if (api_events[i].proc == proc || api_events[i].legacy == proc)
            return &api_events[i];
    }
    return NULL;
}
'''


def emit_header(wire: Wire) -> str:
    out = [generated("which message carries which event"), "#pragma once\n",
           '#include "gen/api-procs.h"\n', "typedef enum {"]
    out += [f"    API_EVENT_CLASS_{cls.name.upper()}," for cls in wire.events]
    out += ["    API_N_EVENT_CLASSES,", "} ApiEventClass;", HEADER]
    return "\n".join(out)


def emit_source(wire: Wire) -> str:
    out = [generated("which message carries which event"), '#include "gen/api-events.h"\n',
           "#include <stddef.h>\n", "const ApiEvent api_events[] = {"]
    classes = []
    first = 0
    for cls in wire.events:
        for index, event in enumerate(cls.events):
            assert event.id == index, event.where
            out.append(row(event))
        registers = [f"API_PROC({proc.symbol.upper()})" if proc else "NULL"
                     for proc in (cls.register, cls.deregister)]
        classes.append(f"    [API_EVENT_CLASS_{cls.name.upper()}] = {{ {', '.join(registers)}, "
                       f"{len(cls.events)}, {first} }},")
        first += len(cls.events)
    out += ["};", "", "const ApiEventClassInfo api_event_classes[API_N_EVENT_CLASSES] = {",
            *classes, "};", SOURCE]
    return "\n".join(out)


def row(event: Event) -> str:
    message = event.proc.args
    assert message
    legacy, legacy_offset = "NULL", "-1"
    if event.legacy:
        legacy = f"API_PROC({event.legacy.symbol.upper()})"
        legacy_offset = f"offsetof({message.c_name}, msg)"
    kind, offset = "API_OBJECT_NONE", "-1"
    outer = event.proc.arg("msg")
    fields = [(value, c_field(value.name)) for value in message.fields]
    if outer and outer.struct:
        fields += [(value, f"msg.{c_field(value.name)}") for value in outer.struct.fields]
    for value, path in fields:
        if object_kind(value):
            kind = f"API_OBJECT_{object_kind(value).upper()}"
            offset = f"offsetof({message.c_name}, {path})"
    return (f'    {{ API_EVENT_CLASS_{event.cls.upper()}, {event.id}, "{event.name}", '
            f"API_PROC({event.proc.symbol.upper()}), {legacy}, {legacy_offset}, {kind}, {offset} }},")
