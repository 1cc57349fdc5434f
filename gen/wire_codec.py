# SPDX-License-Identifier: LGPL-2.1-or-later
# Emits api-codec.[ch]: one constant CodecType for each wire structure, which the engine in
# src/wire/codec.c walks to encode, decode, copy and free.
from __future__ import annotations

from wire_ctypes import (c_base, c_field, codec_kind, codec_shape, element_min, generated,
                         struct_min)
from wire_schema import Field, Struct, Wire


def emit_header(wire: Wire) -> str:
    out = [generated("tables for src/wire/codec.c"), "#pragma once\n",
           '#include "gen/api-structs.h"\n#include "wire/codec.h"\n',
           "/* The table of a structure by its C name: CODEC(RemoteDomainGetInfoRet). */",
           "#define CODEC(c_name) (&c_name##_codec)\n"]
    out += [f"extern const CodecType {struct.c_name}_codec;" for struct in wire.structs.values()]
    out.append("\n/* All of them, NULL at the end; for tests. */")
    out.append("extern const CodecType *const api_codecs[];")
    return "\n".join(out) + "\n"


def emit_source(wire: Wire) -> str:
    out = [generated("tables for src/wire/codec.c"),
           '#include "gen/api-codec.h"\n\n#include <libvirt/libvirt.h>\n#include <stddef.h>\n']
    for struct in wire.structs.values():
        out.append(table(wire, struct))
    out.append("const CodecType *const api_codecs[] = {")
    out += [f"    &{struct.c_name}_codec," for struct in wire.structs.values()]
    out.append("    NULL,\n};")
    return "\n".join(out) + "\n"


def table(wire: Wire, struct: Struct) -> str:
    name = struct.c_name
    lines = [f"static const CodecField {name}_fields[] = {{"]
    lines += [row(wire, struct, value) for value in struct.fields]
    kind = "true" if struct.tag else "false"
    lines += ["};", f"const CodecType {name}_codec = {{",
              f'    "{struct.symbol}", sizeof({name}), {struct_min(struct)}, '
              f"G_N_ELEMENTS({name}_fields), {kind}, {name}_fields,", "};\n"]
    return "\n".join(lines)


def row(wire: Wire, struct: Struct, value: Field) -> str:
    member = ("u." if struct.tag else "") + c_field(value.name)
    size = "16" if value.base == "uuid" else f"sizeof({c_base(value)})"
    nested = f"&{value.struct.c_name}_codec" if value.struct else "NULL"
    return (f'    {{ "{value.name}", offsetof({struct.c_name}, {member}), {size}, '
            f"{codec_kind(value)}, {codec_shape(value)}, {value.tag or 0}, "
            f"{value.bound or value.fixed}, "
            f"{wire.string_bound(struct) if value.base == 'string' else 0}, "
            f"{element_min(value)}, {nested} }},")
