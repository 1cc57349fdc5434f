# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emits the manual pages of the public API, section 3: one page for each subject, named after it,
# with every call as a section of its own.
from __future__ import annotations

import api_text
from api_headers import wrapped
from api_model import Api, Call, Enum, Fields, Subject


def roff(text: str) -> str:
    """@text as it must stand in a manual page."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def emit(api: Api) -> dict[str, str]:
    return {f"libvirt-{s.name}.3": emit_page(api, s) for s in api.subjects.values()}


def emit_page(api: Api, subject: Subject) -> str:
    calls = [c for c in api.calls.values() if c.subject == subject.name]
    enums = [e for e in api.enums.values() if e.subject == subject.name]
    fields = [f for f in api.fields if f.subject == subject.name]
    header = api.headers[subject.header]
    include = (header.instead or [header.name])[0]
    library = api.libraries[header.library]
    link = library.name.removeprefix("lib")
    title = subject.title.rstrip(".") or subject.name
    lines = ['.\\" SPDX-License-Identifier: LGPL-2.1-or-later',
             f'.TH "LIBVIRT-{subject.name.upper()}" 3 "" "Manifold" "Public API"',
             ".ad l", ".SH NAME",
             f"libvirt-{subject.name} \\- {roff(title[:1].lower() + title[1:])}",
             ".SH SYNOPSIS", ".nf", f"#include <{api.headers[include].folder}/{include}.h>", "",
             roff(f"cc ... -l{link}"), ".fi", ".SH CALLS"]
    for call in calls:
        lines += emit_call(api, call)
    if enums:
        lines.append(".SH CONSTANTS")
        for enum in enums:
            lines += emit_enum(api, enum)
    if fields:
        lines.append(".SH TYPED PARAMETERS")
        for group in fields:
            lines += emit_fields(group)
    return "\n".join([*lines, ""])


def emit_call(api: Api, call: Call) -> list[str]:
    lines = [f'.SS "{call.name}"', ".nf",
             *map(roff, wrapped(api.c_prototype(call.name, call.ret, call.params)
                                + ";").rstrip().split("\n")), ".fi", ".PP"]
    lines += [roff(text) for text in [call.doc, *call.details] if text]
    for param in call.params:
        lines += [".TP", f".I {param.name}", roff(api_text.param(api, call, param)) or "\\&"]
    returned = api_text.returns(api, call.ret)
    lines += [".PP", f"Returns {roff(returned)}." if returned else "Returns nothing.",
              f"Since {call.since}."]
    for fail in call.fails:
        lines += [".br", roff(f"Fails with {api_text.fail(fail)}.")]
    return lines


def emit_enum(api: Api, enum: Enum) -> list[str]:
    lines = [f'.SS "{enum.name}"']
    lines += [roff(text) for text in (enum.doc, api_text.users(api, enum)) if text]
    for value in enum.values:
        if not value.sentinel:
            lines += [".TP", f".B {value.name} = {roff(value.written)}",
                      roff(value.doc or event_text(api, value.name)) or "\\&"]
    return lines


def event_text(api: Api, name: str) -> str:
    event = api.events.get(name)
    return f"{event.doc} Calls a {event.callback}." if event else ""


def emit_fields(fields: Fields) -> list[str]:
    group = f" ({fields.group})" if fields.group else ""
    lines = [f'.SS "{", ".join(fields.users)}{group}"']
    for row in fields.rows:
        kind = f" ({row.type})" if row.type else ""
        lines += [".TP", f".B {roff((row.full or row.text) + kind)}",
                  roff(" ".join(t for t in (row.macro, row.doc) if t)) or "\\&"]
    return lines
