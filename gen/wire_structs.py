# SPDX-License-Identifier: LGPL-2.1-or-later
# Emits api-structs.h: constants and enums of the protocols, and a C structure for every wire
# structure, union, argument list, result and event message.
from __future__ import annotations

from wire_ctypes import c_base, c_field, declare, generated, spaced
from wire_schema import Struct, Where, Wire


def emit(wire: Wire) -> str:
    out = [generated("what travels, as C structures; codec tables are in api-codec.h"),
           "#pragma once\n\n#include <glib.h>\n"]
    for program in wire.programs.values():
        if program.number:
            out.append(f"#define {program.prefix}PROGRAM 0x{program.number:08x}u")
            out.append(f"#define {program.prefix}PROTOCOL_VERSION {program.version}u")
    out.append("")
    out += [f"#define {name} {value}" for name, value in wire.consts.items()]
    for enum in wire.enums:
        out.append(f"\nenum {{ /* {short(enum.where)} {enum.name} */")
        out += [f"    {enum.prefix}{name} = {value}," for name, value in enum.values]
        out.append("};")
    out.append("")
    for struct in wire.structs.values():
        out.append(f"typedef struct {struct.c_name} {struct.c_name};")
    for struct in wire.structs.values():
        out.append(union(struct) if struct.tag else structure(struct))
    return "\n".join(out) + "\n"


def structure(struct: Struct) -> str:
    lines = [f"\nstruct {struct.c_name} {{ /* {short(struct.where)} */"]
    lines += [f"    {declare(value)};" for value in struct.fields]
    return "\n".join(lines + ["};"])


def union(struct: Struct) -> str:
    lines = [f"\nstruct {struct.c_name} {{ /* {short(struct.where)} */",
             f"    gint32 {c_field(struct.tag)};", "    union {"]
    lines += [f"        {spaced(c_base(arm), c_field(arm.name))}; /* {arm.tag} */"
              for arm in struct.fields]
    return "\n".join(lines + ["    } u;", "};"])


def short(where: Where) -> str:
    """schema/wire/... : the same words wherever the build tree lies."""
    text = str(where)
    return text[text.find("schema/wire"):]
