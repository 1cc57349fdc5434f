# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a finished build holds for the programs of others: pkg-config files and exported symbols.
BUILD names the build folder (dev/check sets it); parts that are not built are skipped."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import facts

BUILD = Path(os.environ.get("BUILD", "/nonexistent"))
LIBRARIES = {"libvirt": "-lvirt", "libvirt-qemu": "-lvirt-qemu", "libvirt-lxc": "-lvirt-lxc",
             "libvirt-admin": "-lvirt-admin"}


def pkg_config(*args: str) -> str:
    if not shutil.which("pkg-config") or not (BUILD / "gen/libvirt.pc").exists():
        pytest.skip("no build folder, or no pkg-config")
    return subprocess.run(["pkg-config", *args], text=True, capture_output=True, check=True,
                          env={**os.environ, "PKG_CONFIG_PATH": str(BUILD / "gen")}).stdout.strip()


@pytest.mark.parametrize("library", LIBRARIES)
def test_pkg_config_names_library_and_api_description(library):
    variable = library.replace("-", "_") + "_api"
    assert pkg_config(f"--variable={variable}", library).endswith(
        f"/share/libvirt/api/{library}-api.xml")
    assert LIBRARIES[library] in pkg_config("--libs", library).split()


def test_pkg_config_of_the_first_library_names_three_descriptions():
    for name in ("libvirt", "libvirt_qemu", "libvirt_lxc"):
        assert pkg_config(f"--variable={name}_api", "libvirt")


def test_pkg_config_states_the_release_of_the_headers(api):
    assert pkg_config("--modversion", "libvirt") == api.version
    number = api.macros["LIBVIR_VERSION_NUMBER"].body
    major, minor, micro = map(int, api.version.split("."))
    assert int(number) == major * 1000000 + minor * 1000 + micro


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_library_exports_every_symbol_in_its_node(library):
    path = next((p for p in BUILD.rglob(f"{library}.so.0*") if p.is_file()), None)
    if path is None:
        pytest.skip(f"{library}.so.0 is not built")
    nm = subprocess.run(["nm", "-D", "--defined-only", path], text=True, capture_output=True,
                        check=True).stdout
    exported = dict(re.findall(r" [TDBR] (\w+)@@?([\w.]+)", nm))
    want = {r["symbol"]: r["version_node"] for r in facts("symbols")
            if r["library"] == f"{library}.so.0"}
    assert {s: exported.get(s) for s in want} == want
    assert [s for s, node in exported.items() if s.startswith("vir") and s not in want
            and "PRIVATE" not in node] == []
