# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Emits the texts of error codes and the names of error domains as two C tables for
# src/base/error.c, and the version maps of the four libraries.
from __future__ import annotations

from api_model import Api, Library


def c_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def emit_texts(api: Api) -> str:
    lines = ["/* SPDX-License-Identifier: LGPL-2.1-or-later */",
             "/* Texts of error codes and names of error domains; for src/base/error.c only.",
             " * Generated from schema/api/error.api. */", "#pragma once", "",
             "#include <libvirt/virterror.h>", "",
             "/* By code: the text without detail, and the format that takes one. */",
             "static const char *const error_texts[][2] = {"]
    for value in api.enums["virErrorNumber"].values:
        if len(value.texts) == 2:
            plain, detail = map(c_string, value.texts)
            lines.append(f"    [{value.name}] = {{ {plain}, {detail} }},")
    lines += ["};", "", "static const char *const error_domain_names[] = {"]
    for value in api.enums["virErrorDomain"].values:
        if value.texts:
            lines.append(f"    [{value.name}] = {c_string(value.texts[0])},")
    return "\n".join([*lines, "};", ""])


def emit_map(api: Api, library: Library) -> str:
    """The linker's version script: each node inherits the one before it."""
    symbols: dict[str, list[str]] = {node: [] for node in library.nodes}
    for entry in [*api.calls.values(), *api.variables.values(), *api.exports.values()]:
        if api.library_of(entry) is library:
            symbols[entry.node or entry.since].append(entry.name)
    lines = [f"# SPDX-License-Identifier: LGPL-2.1-or-later",
             f"# Symbols of {library.soname}. Generated from schema/api.", ""]
    parent = ""
    for node in library.nodes:
        name = library.node_prefix + node
        lines += [f"{name} {{", "    global:"]
        lines += [f"        {symbol};" for symbol in sorted(symbols[node])]
        if not parent:
            lines += ["    local:", "        *;"]
        lines += [f"}}{' ' + parent if parent else ''};", ""]
        parent = name
    return "\n".join(lines)
