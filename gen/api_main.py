# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The program that the build runs for everything made of schema/api alone:
#     api_main.py WHAT SCHEMA-FOLDER OUTPUT-FOLDER
# WHAT is one of the words in OUTPUTS. Files are written only when their text changed.
from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import api_errors
import api_headers
import api_html
import api_man
import api_schema
import api_xml
from api_model import Api


def errors(api: Api) -> dict[str, str]:
    return {"api-errors.h": api_errors.emit_texts(api)}


def maps(api: Api) -> dict[str, str]:
    return {f"{lib.name}.map": api_errors.emit_map(api, lib) for lib in api.libraries.values()}


def xml(api: Api) -> dict[str, str]:
    return api_xml.emit(api)


def reference(api: Api) -> dict[str, str]:
    return api_html.emit(api) | api_man.emit(api)


OUTPUTS: dict[str, Callable[[Api], dict[str, str]]] = {
    "headers-libvirt": lambda api: api_headers.emit(api, "libvirt"),
    "headers-manifold": lambda api: api_headers.emit(api, "manifold"), "errors": errors, "maps": maps, "xml": xml, "reference": reference,
}


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(args: list[str]) -> None:
    if len(args) != 3 or args[0] not in OUTPUTS:
        raise SystemExit(f"usage: api_main.py {'|'.join(OUTPUTS)} SCHEMA-FOLDER OUTPUT-FOLDER")
    api = api_schema.load_or_exit(args[1])
    for name, text in OUTPUTS[args[0]](api).items():
        write(Path(args[2]), name, text)


if __name__ == "__main__":
    main(sys.argv[1:])
