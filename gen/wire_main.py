#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# Turns schema/wire into C: wire_main.py SCHEMA_DIR OUTPUT_DIR. Writes the api-*.[ch] files named in
# OUTPUTS, each only when its text changed. The client stubs have a program of their own, stub_main.py.
from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import wire_codec
import wire_driver
import wire_events
import wire_procs
import wire_structs
from wire_schema import SchemaError, Wire, load

OUTPUTS: dict[str, Callable[[Wire], str]] = {
    "api-structs.h": wire_structs.emit,
    "api-codec.h": wire_codec.emit_header,
    "api-codec.c": wire_codec.emit_source,
    "api-procs.h": wire_procs.emit_header,
    "api-procs.c": wire_procs.emit_source,
    "api-driver.h": wire_driver.emit_header,
    "api-driver.c": wire_driver.emit_source,
    "api-events.h": wire_events.emit_header,
    "api-events.c": wire_events.emit_source,
}


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: wire_main.py SCHEMA_DIR OUTPUT_DIR", file=sys.stderr)
        return 2
    try:
        wire = load(Path(arguments[0]))
        texts = {name: emit(wire) for name, emit in OUTPUTS.items()}
    except SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in texts.items():
        write_if_changed(Path(arguments[1]) / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
