# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes C out of a text, so that a program carries it.

    python3 gen/embed_text.py SYMBOL INPUT OUTPUT

OUTPUT defines `const char SYMBOL[]` and `const unsigned SYMBOL_len`, the text without its final NUL.
"""
from __future__ import annotations

import sys
from pathlib import Path
from typing import List


def c_lines(text: bytes) -> List[str]:
    """One initialiser a line: string literals have a bound in C, arrays have none."""
    return ['    ' + ', '.join(str(byte) for byte in text[at:at + 24]) + ','
            for at in range(0, len(text), 24)]


def main(args: List[str]) -> int:
    if len(args) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    symbol, source, output = args[0], Path(args[1]), Path(args[2])
    text = source.read_bytes()
    made = '\n'.join(['/* SPDX-License-Identifier: LGPL-2.1-or-later */',
                      f'/* Made by gen/embed_text.py from {source.name}. */',
                      f'const char {symbol}[] = {{', *c_lines(text), '    0', '};',
                      f'const unsigned {symbol}_len = {len(text)};', ''])
    if not output.exists() or output.read_text(encoding='utf-8') != made:
        output.write_text(made, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
