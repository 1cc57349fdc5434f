# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of schema and generators share: the fact tables, the loaded schema, and a folder
with everything the generator makes, made once a run. Needs gcc; clang and g++ where present."""
import csv
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "gen"))


def facts(name: str) -> list[dict[str, str]]:
    with open(TOP / "tests/facts" / f"{name}.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="session")
def api():
    import api_schema
    return api_schema.load(TOP / "schema/api")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Folder with include/libvirt/*.h, gen/api-errors.h, *.map, *-api.xml and the reference."""
    top = tmp_path_factory.mktemp("made")
    for what, folder in [("headers-libvirt", "include/libvirt"),
                         ("headers-manifold", "include/manifold"), ("errors", "gen"), ("maps", "."),
                         ("xml", "."), ("reference", "reference")]:
        subprocess.run([sys.executable, TOP / "gen/api_main.py", what, TOP / "schema/api",
                        top / folder], check=True)
    return top


@pytest.fixture
def compile_c(made, tmp_path):
    """compile_c(text, ...) -> completed compiler run; the program is tmp_path/program."""
    def run(text: str, *args: str, compiler: str = "gcc") -> subprocess.CompletedProcess:
        source = tmp_path / ("program.cc" if "++" in compiler else "program.c")
        source.write_text(text)
        return subprocess.run(
            [compiler, "-Wall", "-Wextra", "-Werror", f"-I{made}/include", f"-I{made}",
             source, "-o", tmp_path / "program", *args],
            text=True, capture_output=True)
    return run
