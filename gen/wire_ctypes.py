# SPDX-License-Identifier: LGPL-2.1-or-later
# How a wire type looks in C: declarations of fields, their codec kinds, and the fewest bytes that
# they take on the wire. Shared by the wire_*.py emitters; the model is in wire_schema.py.
from __future__ import annotations

from wire_schema import Field, SchemaError, Struct

C_TYPES = {"int": "gint32", "uint": "guint32", "hyper": "gint64", "uhyper": "guint64",
           "double": "double", "char": "gchar", "uchar": "guchar", "short": "gint16",
           "ushort": "guint16", "string": "char *", "opaque": "guchar"}
WIRE_SIZES = {"hyper": 8, "uhyper": 8, "double": 8, "uuid": 16}     # all others: one word
C_KEYWORDS = {"auto", "break", "case", "char", "const", "continue", "default", "do", "double",
              "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
              "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
              "switch", "typedef", "union", "unsigned", "void", "volatile", "while"}
LICENCE = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"


def generated(what: str) -> str:
    return f"{LICENCE}/* Generated from schema/wire by gen/wire_main.py: {what} */\n"


def c_field(name: str) -> str:
    return name + "_" if name in C_KEYWORDS else name


def c_base(value: Field) -> str:
    return value.struct.c_name if value.struct else C_TYPES[value.base]


def spaced(c_type: str, name: str) -> str:
    return f"{c_type}{name}" if c_type.endswith("*") else f"{c_type} {name}"


def declare(value: Field) -> str:
    """The member of the C structure, without its semicolon."""
    name = c_field(value.name)
    if value.base == "uuid":
        if value.optional or value.counted or value.fixed:
            raise SchemaError(value.where, "a uuid can neither be optional nor an array")
        return f"guchar {name}[16]"
    base = c_base(value)
    if value.counted:
        return f"struct {{ guint32 count; {spaced(base, '*items') if base[-1] != '*' else base + '*items'}; }} {name}"
    if value.fixed:
        return f"{spaced(base, name)}[{value.fixed}]"
    if value.optional and value.struct:
        return f"{base} *{name}"
    if value.optional and value.base != "string":
        raise SchemaError(value.where, f"'{value.name}': only strings and structures are optional")
    return spaced(base, name)


def codec_kind(value: Field) -> str:
    return "CODEC_STRUCT" if value.struct else "CODEC_" + value.base.upper()


def codec_shape(value: Field) -> str:
    if value.base == "opaque":
        return "CODEC_ONE"           # the engine knows that opaque data is counted
    if value.counted:
        return "CODEC_COUNTED"
    if value.fixed:
        return "CODEC_FIXED"
    return "CODEC_OPTIONAL" if value.optional else "CODEC_ONE"


def element_min(value: Field) -> int:
    """Fewest bytes of one element of @value on the wire."""
    return struct_min(value.struct) if value.struct else WIRE_SIZES.get(value.base, 4)


def struct_min(struct: Struct) -> int:
    if struct.tag:
        return 4 + min(element_min(arm) for arm in struct.fields)
    total = 0
    for value in struct.fields:
        if value.counted or value.optional:
            total += 4
        else:
            total += element_min(value) * (value.fixed or 1)
    return total
