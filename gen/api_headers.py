# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emits the public C headers from the API schema: one text for each header entry. Inside a header
# come names before their uses: objects, constants, enums, callbacks, structs, calls; where one
# enum or callback mentions another, the mentioned one comes first.
from __future__ import annotations

import re
from typing import Callable, Iterable

from api_model import Api, Callback, Entry, Enum, Header, Macro, Member, Struct, declare

# Attributes that every header may use; they stand in the header that all others include.
PRELUDE = """\
# ifndef VIR_DEPRECATED
#  if defined(__GNUC__) || defined(__clang__)
#   define VIR_DEPRECATED __attribute__((__deprecated__))
#  else
#   define VIR_DEPRECATED
#  endif
# endif

# ifndef VIR_EXPORT_VAR
#  define VIR_EXPORT_VAR extern
# endif
"""
PRELUDE_HEADER = "libvirt-common"


def guard_of(header: str) -> str:
    return header.upper().replace("-", "_") + "_H"


def opened_by(header: str) -> str:
    """The macro by which @header lets itself include what may not be included alone."""
    return f"_{guard_of(header)}_OPEN"


def emit(api: Api, folder: str) -> dict[str, str]:
    """File name -> text, for every header of the folder."""
    return {f"{h.name}.h": emit_header(api, h) for h in api.headers.values() if h.folder == folder}


def emit_header(api: Api, header: Header) -> str:
    parts = [emit_top(api, header)]
    if header.name == PRELUDE_HEADER:
        parts.append(PRELUDE)
    mine = lambda table: [e for e in table.values() if api.header_of(e) is header]  # noqa: E731
    structs, enums, callbacks = mine(api.structs), mine(api.enums), mine(api.callbacks)
    macros = mine(api.macros)

    parts += [emit_number(m) for m in macros if m.kind == "number"]
    parts += [emit_name(s, callbacks) for s in structs]
    parts += [emit_enum(e) for e in in_order(enums, enum_needs)]
    parts += [f"typedef {declare(t.ctype, t.name)};\n" for t in mine(api.typedefs)]
    parts += [emit_callback(api, c) for c in in_order(callbacks, callback_needs)]
    parts += [emit_struct(s) for s in structs if s.members]
    parts += [emit_fields(api, header)]
    parts += [emit_macro(m) for m in macros if m.kind != "number"]
    parts += [f"VIR_EXPORT_VAR {declare(v.ctype, v.name)};\n" for v in mine(api.variables)]
    parts += [wrapped(api.c_prototype(c.name, c.ret, c.params) + ";\n")
              for c in mine(api.calls)]
    parts.append("# ifdef __cplusplus\n}\n# endif\n")
    parts.append(f"#endif /* {guard_of(header.name)} */")
    return "\n".join(p for p in parts if p) + "\n"


def emit_top(api: Api, header: Header) -> str:
    title = header.title or "part of the public API"
    lines = ["/* SPDX-License-Identifier: LGPL-2.1-or-later */",
             f"/* {header.name}.h: {title}", " * Generated from schema/api. */", ""]
    lines += [f"#ifndef {guard_of(header.name)}", f"# define {guard_of(header.name)}", ""]
    if header.instead:
        test = " && ".join(f"!defined({opened_by(h)})" for h in header.instead)
        names = " or ".join(f"<libvirt/{h}.h>" for h in header.instead)
        lines += [f"# if {test}", f'#  error "Include {names} instead of this file"', "# endif",
                  ""]
    lines += ["# include <sys/types.h>", ""]
    opens = any(header.name in api.headers[name].instead for name in header.includes)
    if opens:
        lines.append(f"# define {opened_by(header.name)}")
    lines += [f"# include <{api.headers[name].folder}/{name}.h>" for name in header.includes]
    if opens:
        lines.append(f"# undef {opened_by(header.name)}")
    lines += ["" if header.includes else None, "# ifdef __cplusplus", 'extern "C" {', "# endif",
              ""]
    return "\n".join(line for line in lines if line is not None)


def in_order(entries: list, needs: Callable[[Entry], Iterable[str]]) -> list:
    """@entries with what an entry needs before it."""
    by_name = {name: e for e in entries for name in names_of(e)}
    done: dict[str, Entry] = {}

    def visit(entry: Entry) -> None:
        if entry.name in done:
            return
        for name in needs(entry):
            if name in by_name and by_name[name] is not entry:
                visit(by_name[name])
        done[entry.name] = entry

    for entry in entries:
        visit(entry)
    return list(done.values())


def names_of(entry: Entry) -> list[str]:
    return [v.name for v in entry.values] if isinstance(entry, Enum) else [entry.name]


def enum_needs(enum: Enum) -> list[str]:
    return [v.written for v in enum.values]


def callback_needs(callback: Callback) -> list[str]:
    return [p.type.name for p in callback.params if p.type.word == "callback"]


def emit_number(macro: Macro) -> str:
    return f"# define {macro.name} {macro.body}\n"


def emit_name(struct: Struct, callbacks: list[Callback]) -> str:
    tag = "_virTypedParameter" if struct.same_as else struct.tag
    text = f"typedef struct {tag} {struct.name};\n"
    if struct.pointer:
        text += f"typedef {struct.name} *{struct.pointer};\n"
    return text


def emit_enum(enum: Enum) -> str:
    lines = ["typedef enum {"]
    for value in enum.values:
        row = f"    {value.name} = {value.written},"
        lines += ["# ifdef VIR_ENUM_SENTINELS", row, "# endif"] if value.sentinel else [row]
    return "\n".join([*lines, f"}} {enum.name};", ""])


def emit_callback(api: Api, callback: Callback) -> str:
    return wrapped("typedef " + api.c_prototype(f"(*{callback.name})", callback.ret,
                                                callback.params) + ";\n")


def wrapped(prototype: str) -> str:
    """@prototype on as many lines as 100 columns need, its parameters aligned."""
    start = prototype.rindex("(") + 1
    lines, line = [], prototype[:start]
    for part in re.findall(r".+?(?:, |$)", prototype[start:]):
        if len(line) + len(part.rstrip()) > 100:
            lines.append(line.rstrip())
            line = " " * start
        line += part
    return "\n".join([*lines, line]) + "\n"


def emit_struct(struct: Struct) -> str:
    lines = [f"struct {struct.tag} {{"]
    for member in struct.members:
        if member.union:
            lines += ["    union {", *("        " + member_text(m) for m in member.union),
                      f"    }} {member.name};"]
        else:
            lines.append("    " + member_text(member))
    return "\n".join([*lines, "};", ""])


def member_text(member: Member) -> str:
    array = f"[{member.array}]" if member.array else ""
    old = " VIR_DEPRECATED" if member.deprecated else ""
    return declare(member.ctype, member.name) + array + old + ";"


def emit_fields(api: Api, header: Header) -> str:
    lines = [f'# define {row.macro} "{row.text}"' for fields in api.fields
             if api.header_of(fields) is header for row in fields.rows if row.macro]
    return "\n".join([*lines, ""]) if lines else ""


def emit_macro(macro: Macro) -> str:
    args = f"({', '.join(macro.args)})" if macro.args else ""
    return f"# define {macro.name}{args} {macro.body}\n"
