# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emits the API description of each library as XML, which the generators of language bindings read
# (path in the pkg-config variable libvirt_api and its siblings): first which file exports what,
# then every symbol with types and texts, in the order of names.
from __future__ import annotations

from xml.sax.saxutils import escape

import api_text
from api_model import (Api, Call, Callback, Entry, Enum, Header, Library, Macro, Member, Struct,
                       Value)


def quote(text: str) -> str:
    return "'" + escape(text, {"'": "&apos;"}) + "'"


def attributes(**values: str) -> str:
    return "".join(f" {name.rstrip('_')}={quote(value)}" for name, value in values.items())


def emit(api: Api) -> dict[str, str]:
    return {f"{lib.name}-api.xml": emit_library(api, lib) for lib in api.libraries.values()}


def emit_library(api: Api, library: Library) -> str:
    headers = [h for h in sorted(api.headers.values(), key=lambda h: h.name + ".h")
               if h.library == library.name and has_symbols(api, h)]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<api name={quote(library.name)}>",
             "  <files>"]
    for header in headers:
        lines += emit_file(api, header)
    lines += ["  </files>", "  <symbols>"]
    lines += emit_symbols(api, headers)
    return "\n".join([*lines, "  </symbols>", "</api>", ""])


def has_symbols(api: Api, header: Header) -> bool:
    return any(s.header == header.name for s in api.subjects.values())


def of(api: Api, headers: list[Header], table: dict) -> list:
    """Entries of @table that stand in one of @headers, by name."""
    return sorted((e for e in table.values() if api.header_of(e) in headers),
                  key=lambda e: e.name)


def texts_of(api: Api, headers: list[Header]) -> list[tuple[str, str, str, str, Header]]:
    """Macro, its string, since and doc, of all typed parameter names."""
    return sorted(((row.macro, row.text, row.since, row.doc, api.header_of(fields))
                   for fields in api.fields if api.header_of(fields) in headers
                   for row in fields.rows if row.macro), key=lambda t: t[0])


def values_of(api: Api, headers: list[Header]) -> list[tuple[Value, Enum]]:
    pairs = [(v, e) for e in of(api, headers, api.enums) for v in e.values]
    return sorted(pairs, key=lambda pair: pair[0].name)


def emit_file(api: Api, header: Header) -> list[str]:
    one = [header]
    macros = sorted([m.name for m in of(api, one, api.macros)]
                    + [t[0] for t in texts_of(api, one)])
    structs = of(api, one, api.structs)
    typedefs = sorted([e.name for e in [*of(api, one, api.enums), *structs,
                                        *of(api, one, api.typedefs)]]
                      + [s.pointer for s in structs if s.pointer])
    exported = {
        "macro": macros,
        "enum": [v.name for v, _ in values_of(api, one)],
        "typedef": typedefs,
        "struct": sorted(s.tag for s in structs if s.members),
        "variable": [v.name for v in of(api, one, api.variables)],
        "function": sorted([e.name for e in [*of(api, one, api.calls),
                                             *of(api, one, api.callbacks)]]),
    }
    lines = [f"    <file name={quote(header.name)}>",
             f"     <summary>{escape(header.title)}</summary>",
             f"     <description>{escape(header.title)}</description>"]
    for kind, names in exported.items():
        lines += [f"     <exports{attributes(symbol=name, type=kind)}/>" for name in names]
    return [*lines, "    </file>"]


def emit_symbols(api: Api, headers: list[Header]) -> list[str]:
    macros = [(m.name, macro_lines(api, m)) for m in of(api, headers, api.macros)]
    macros += [(name, element(4, "macro", doc, name=name, file=header.name, string=text,
                              version=since))
               for name, text, since, doc, header in texts_of(api, headers)]
    lines = [line for _, block in sorted(macros) for line in block]
    for value, enum in values_of(api, headers):
        lines.append(value_line(api, value, enum))

    types = [(e.name, typedef_lines(api, e, "enum")) for e in of(api, headers, api.enums)]
    types += [(t.name, typedef_lines(api, t, t.ctype)) for t in of(api, headers, api.typedefs)]
    for struct in of(api, headers, api.structs):
        types.append((struct.name, struct_lines(api, struct)))
        if struct.pointer:
            types.append((struct.pointer, element(
                4, "typedef", "", name=struct.pointer, file=api.header_of(struct).name,
                type=f"{struct.name} *", version=struct.pointer_since)))
    lines += [line for _, block in sorted(types) for line in block]

    for variable in of(api, headers, api.variables):
        lines += element(4, "variable", variable.doc, name=variable.name,
                         file=api.header_of(variable).name, type=variable.ctype,
                         version=variable.since)
    calls = [(e.name, call_lines(api, e)) for e in [*of(api, headers, api.calls),
                                                    *of(api, headers, api.callbacks)]]
    return lines + [line for _, block in sorted(calls) for line in block]


def info(text: str) -> str:
    return f"<info><![CDATA[{text}]]></info>"


def element(indent: int, tag: str, doc: str, **values: str) -> list[str]:
    head = f"{' ' * indent}<{tag}{attributes(**values)}"
    if not doc:
        return [head + "/>"]
    return [head + ">", f"{' ' * indent}  {info(doc)}", f"{' ' * indent}</{tag}>"]


def doc_of(entry: Entry) -> str:
    return "\n".join([entry.doc, *([""] + entry.details if entry.details else [])])


def macro_lines(api: Api, macro: Macro) -> list[str]:
    values = dict(name=macro.name, file=api.header_of(macro).name)
    if macro.args:
        values["params"] = ",".join(macro.args)
    head = attributes(**values, raw=macro.body, version=macro.since)
    lines = [f"    <macro{head}>"]
    if macro.doc:
        lines.append(f"      {info(doc_of(macro))}")
    lines += [f"      <arg{attributes(name=arg, info='')}/>" for arg in macro.args]
    return [*lines, "    </macro>"]


def value_line(api: Api, value: Value, enum: Enum) -> str:
    values = dict(name=value.name, file=api.header_of(enum).name)
    if value.written[0].isalpha():
        values["value"] = value.written
    else:
        values["value"] = str(value.value)
        values["value_hex"] = hex(value.value)
        if value.value > 0 and value.value & (value.value - 1) == 0 and enum.is_flags:
            values["value_bitshift"] = str(value.value.bit_length() - 1)
    values |= dict(type=enum.name, version=value.since)
    if value.doc:
        values["info"] = value.doc
    return f"    <enum{attributes(**values)}/>"


def typedef_lines(api: Api, entry: Entry, ctype: str) -> list[str]:
    return element(4, "typedef", doc_of(entry), name=entry.name, file=api.header_of(entry).name,
                   type=ctype, version=entry.since)


def struct_lines(api: Api, struct: Struct) -> list[str]:
    source = api.structs[struct.same_as] if struct.same_as else struct
    head = f"    <struct" + attributes(
        name=struct.name, file=api.header_of(struct).name, type=f"struct {source.tag}",
        version=struct.since)
    if not source.members:
        return [head + "/>"]
    lines = [head + ">"]
    for member in source.members:
        if member.union:
            lines += [f"      <field{attributes(name=member.name, type='union', info=member.doc)}>",
                      "        <union>"]
            lines += [f"          {field(m)}" for m in member.union]
            lines += ["        </union>", "      </field>"]
        else:
            lines.append(f"      {field(member)}")
    return [*lines, "    </struct>"]


def field(member: Member) -> str:
    ctype = member.ctype
    if member.array:
        ctype += f" {member.name}[{member.array}]"
    return f"<field{attributes(name=member.name, type=ctype, info=member.doc)}/>"


def call_lines(api: Api, entry: Call | Callback) -> list[str]:
    tag = "function" if isinstance(entry, Call) else "functype"
    header = api.header_of(entry).name
    module = api.subjects[entry.subject].module or header
    lines = [f"    <{tag}" + attributes(name=entry.name, file=header, module=module,
                                        version=entry.since) + ">",
             f"      {info(doc_of(entry))}"]
    ret = api_text.returns(api, entry.ret)
    values = dict(type=api.c_return(entry.ret))
    if ret:
        values["info"] = ret
    lines.append(f"      <return{attributes(**values)}/>")
    for param, (ctype, name) in zip(entry.params, api.c_params(entry.params)):
        text = api_text.param(api, entry, param)
        lines.append(f"      <arg{attributes(name=name, type=ctype, info=text)}/>")
    return [*lines, f"    </{tag}>"]
