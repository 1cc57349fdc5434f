# SPDX-License-Identifier: LGPL-2.1-or-later
"""Version maps, API description and error texts against the fact tables."""
import re
import subprocess
import xml.etree.ElementTree as ET
from collections import defaultdict

import pytest
from conftest import facts

LIBRARIES = ["libvirt", "libvirt-qemu", "libvirt-lxc", "libvirt-admin"]


def test_calls_of_our_own_are_in_a_library_of_their_own(made):
    own = re.findall(r"^        (\w+);", (made / "libmanifold.map").read_text(), re.M)
    assert own and all(name.startswith("manifold") for name in own)
    for library in LIBRARIES:
        assert "manifold" not in (made / f"{library}.map").read_text(), library


def read_map(path) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Symbols and parent of each node of a version map."""
    symbols, parents = {}, {}
    for node, body, parent in re.findall(r"(\w[\w.]*) \{(.*?)\}\s*([\w.]*);",
                                         path.read_text(), re.S):
        symbols[node] = set(re.findall(r"\b(vir\w+);", body))
        parents[node] = parent
    return symbols, parents


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_symbol_is_in_the_node_of_the_fact_tables(made, library):
    want = defaultdict(set)
    for row in facts("symbols"):
        if row["library"] == f"{library}.so.0":
            want[row["version_node"]].add(row["symbol"])
    symbols, _ = read_map(made / f"{library}.map")
    assert {n: s for n, s in symbols.items() if s} == dict(want)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nodes_inherit_as_in_the_fact_tables(made, library):
    want = {row["node"]: row["parent"] for row in facts("version-nodes")
            if row["library"] == f"{library}.so.0" and "PRIVATE" not in row["node"]}
    _, parents = read_map(made / f"{library}.map")
    assert parents == want


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_linker_accepts_the_map_and_exports_with_versions(made, tmp_path, library):
    symbols, _ = read_map(made / f"{library}.map")
    source = tmp_path / "symbols.c"
    source.write_text("".join(f"void {s}(void); void {s}(void) {{ }}\n"
                              for names in symbols.values() for s in names))
    out = tmp_path / "x.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", source, "-o", out,
                    f"-Wl,--version-script={made}/{library}.map"], check=True)
    nm = subprocess.run(["nm", "-D", "--defined-only", out], text=True, capture_output=True,
                        check=True).stdout
    exported = set(re.findall(r" T (vir\w+)@@([\w.]+)", nm))
    assert exported == {(s, node) for node, names in symbols.items() for s in names}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_api_description_has_every_call_with_its_types(made, library):
    root = ET.parse(made / f"{library}-api.xml").getroot()
    assert root.get("name") == library
    exported = {e.get("symbol") for e in root.iter("exports")}
    described = {f.get("name"): f for f in root.find("symbols") if f.tag == "function"}
    for row in facts("symbols"):
        if row["library"] != f"{library}.so.0" or not row["prototype"]:
            continue
        assert row["symbol"] in exported, row["symbol"]
        if row["kind"] == "variable":
            continue
        call = described[row["symbol"]]
        args = ", ".join(a.get("type") + ("" if a.get("type").endswith("*") else " ")
                         + a.get("name") for a in call.findall("arg"))
        ret = call.find("return").get("type")
        text = f'{ret}{"" if ret.endswith("*") else " "}{row["symbol"]}({args or "void"});'
        assert re.sub(r" ?\* ?", "*", text) == re.sub(r" ?\* ?", "*", row["prototype"])
        assert (call.get("file") + ".h", call.get("version")) == (row["header"] or
                                                                  call.get("file") + ".h",
                                                                  row["since"])


def test_the_api_description_has_every_constant(made):
    found = {}
    for library in LIBRARIES:
        for node in ET.parse(made / f"{library}-api.xml").getroot().find("symbols"):
            if node.tag in ("enum", "macro"):
                found[node.get("name")] = node
    newer = {row["name"]: row["value_12.3.0"] for row in facts("enums-changed")}
    for row in facts("enums"):
        node = found[row["name"]]
        if row["kind"] == "enum" and not row["hex_or_params"].startswith("alias"):
            assert node.get("value") == newer.get(row["name"], row["value"])
        elif row["kind"] == "enum":
            assert node.get("value") == row["hex_or_params"].removeprefix("alias of ")
        elif row["kind"] == "macro-string":
            assert node.get("string") == row["value"].strip('"')
        if node.get("version") is not None and row["since"]:
            assert node.get("version") == row["since"], row["name"]


def test_calls_on_typed_parameters_stay_out_of_generated_bindings(made):
    root = ET.parse(made / "libvirt-api.xml").getroot()
    calls = [f for f in root.find("symbols")
             if f.tag == "function" and f.get("name").startswith("virTypedParams")]
    assert len(calls) == 19
    assert {f.get("module") for f in calls} == {"virtypedparam-public"}


def test_every_typed_parameter_has_the_type_of_the_fact_tables(api):
    words = {"INT": "int", "UINT": "uint", "LLONG": "llong", "ULLONG": "ullong",
             "DOUBLE": "double", "BOOLEAN": "bool", "STRING": "string"}
    def plain(text: str) -> str:
        return text.replace("<id>", "<num>").replace("<index>", "<num>")

    kinds = {row["macro"]: row["value_type"] for row in facts("typed-params")}
    rows = [row for fields in api.fields for row in fields.rows]
    ours = {(row.macro, row.text, row.type if kinds.get(row.macro) else "") for row in rows}
    whole = {(plain(row.full or row.text), row.type) for row in rows}
    for row in facts("typed-params"):
        kind = words.get(row["value_type"], "")
        if row["macro"]:
            assert (row["macro"], row["field"], kind) in ours, row
        elif not row["group_or_full_name"].startswith("("):
            assert (plain(row["field"]), kind) in whole, row


def test_error_texts_equal_the_fact_tables(compile_c, tmp_path):
    lines = []
    for row in facts("errors"):
        for column, at in (("text_without_detail", 0), ("text_with_detail", 1)):
            if row["kind"] == "number" and row[column] not in ("", "?"):
                text = row[column].replace('"', '\\"')
                lines.append(f'    bad += !!strcmp(error_texts[{row["value"]}][{at}], "{text}");')
        if row["kind"] == "domain" and row["text_without_detail"]:
            text = row["text_without_detail"]
            lines.append(f'    bad += !!strcmp(error_domain_names[{row["value"]}], "{text}");')
    assert len(lines) > 250
    run = compile_c('#include <string.h>\n#include "gen/api-errors.h"\n'
                    "int main(void)\n{\n    int bad = 0;\n" + "\n".join(lines)
                    + "\n    return bad;\n}\n")
    assert run.returncode == 0, run.stderr
    assert subprocess.run([tmp_path / "program"]).returncode == 0


def test_every_error_has_both_texts(api):
    assert [v.name for v in api.enums["virErrorNumber"].values
            if v.name != "VIR_ERR_OK" and not v.sentinel and len(v.texts) != 2] == []
