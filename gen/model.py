# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns schema/model/*.model into C headers and tables, RelaxNG and reference pages.

    python3 gen/model.py SCHEMA_DIR OUTPUT_DIR NAME...

Reading is model_read.py, resolving model_check.py; each output has a file of its own. A file is written only when it changes.
"""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, List

from model_ast import File, SchemaError, Where
from model_check import Checker
from model_docs import document
from model_header import header
from model_read import error_names, read_file
from model_rng import grammar
from model_tables import tables


def load(folder: Path, names: List[str], known: Dict[str, File]) -> None:
    """Read and check the files @names and what they use; each once."""
    for name in names:
        if name in known:
            continue
        path = folder / f'{name}.model'
        if not path.exists():
            raise SchemaError(Where(str(path), 1), 'there is no such file')
        file = read_file(path, f'schema/model/{name}.model')
        uses = [used for _where, used in file.uses if (folder / f'{used}.model').exists() and used != name]
        load(folder, uses, known)
        file.used = {used: known[used] for used in uses}
        Checker(file, error_names(folder / '../api/error.api')).check()
        known[name] = file


def write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding='utf-8') != text:
        path.write_text(text, encoding='utf-8')


def main(args: List[str]) -> int:
    if len(args) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder, output, names = Path(args[0]), Path(args[1]), args[2:]
    known: Dict[str, File] = {}
    try:
        load(folder, names, known)
    except SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    for name in names:
        file = known[name]
        write(output / f'model-{name}.h', header(file))
        write(output / f'model-{name}.c', tables(file))
        write(output / f'model-{name}.rng', grammar(file))
        write(output / f'model-{name}.md', document(file))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
