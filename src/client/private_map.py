#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""private_map.py SYMBOLS PUBLIC-MAP OUTPUT: the public version map with the private node behind it."""
import sys
from pathlib import Path


def main(symbols: str, public: str, output: str) -> None:
    names = [line.strip() for line in Path(symbols).read_text().splitlines()]
    names = sorted(n for n in names if n and not n.startswith('#'))
    text = Path(public).read_text()
    Path(output).write_text(text + '\nMANIFOLD_PRIVATE {\n    global:\n' + ''.join(f'        {n};\n' for n in names) + '};\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
