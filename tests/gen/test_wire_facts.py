# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generated tables of the protocols say what the fact tables say: every structure, field, bound,
procedure, access rule and event. The tables are compiled and printed by wire_dump.c, so that what is
compared is what programs use."""
import re
import shlex
import subprocess
import sys
from collections import defaultdict

import pytest
from conftest import TOP, facts

PROGRAMS = ["remote", "qemu", "lxc", "admin", "keepalive"]
SCALARS = {"int": "int", "unsigned int": "uint", "unsigned": "uint", "hyper": "hyper",
           "unsigned hyper": "uhyper", "double": "double", "char": "char", "unsigned char": "uchar",
           "unsigned short": "ushort", "short": "short"}
API_WRITE, BEFORE_AUTH, STREAM_IN, STREAM_OUT, FDS_IN, FDS_OUT, HIGH = (1 << i for i in range(7))
# Releases after 9.0.0 whose bounds and access rules nobody has read.
UNREAD = "?"


@pytest.fixture(scope="module")
def dump(made, tmp_path_factory):
    """The printed tables: first word of the line -> list of the other words."""
    top = tmp_path_factory.mktemp("wire")
    (top / "gen").mkdir()
    subprocess.run([sys.executable, TOP / "gen/wire_main.py", TOP / "schema/wire", top / "gen"], check=True)
    glib = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], text=True, check=True,
                          capture_output=True).stdout
    subprocess.run(["gcc", "-std=gnu17", f"-I{top}", f"-I{TOP}/src", f"-I{made}/include",
                    TOP / "tests/gen/wire_dump.c", top / "gen/api-codec.c", top / "gen/api-procs.c",
                    top / "gen/api-events.c", "-o", top / "dump", *shlex.split(glib)], check=True)
    lines = subprocess.run([top / "dump"], text=True, check=True, capture_output=True).stdout
    found = defaultdict(list)
    for line in lines.splitlines():
        word, *rest = line.split("\t")
        found[word].append(rest)
    return found


@pytest.fixture(scope="module")
def numbers() -> dict[str, int]:
    """Program and constant numbers."""
    return {row["constant"]: int(row["value"]) for row in facts("rpc-consts")}


def net_name(name: str) -> str:
    """virNetMessageNonnullDomain is net_message_nonnull_domain in the schema."""
    return "net_" + re.sub(r"(?<!^)([A-Z])", r"_\1", name.removeprefix("virNet")).lower()


def wire_types() -> dict[str, list[dict[str, str]]]:
    types = defaultdict(list)
    for row in facts("types"):
        if row["program"] in (*PROGRAMS, "net"):
            types[row["type"]].append(row)
    return types


def symbol(types, name: str) -> str:
    return net_name(name) if types[name][0]["program"] == "net" else name


def expected_field(types, row, numbers):
    """kind, shape, bound, string bound, structure: as the codec table has to say them."""
    shape = {"scalar": "one", "optional": "optional", "array-var": "counted", "array-fixed": "fixed",
             "opaque-var": "one"}[row["shape"]]
    name = row["field_type"]
    bound = 0
    if row["shape"] in ("array-var", "opaque-var", "array-fixed"):
        text = row["bound_value"] or row["bound"].split(" ")[0]
        bound = int(text) if text.isdigit() else numbers[text]
    while name in types and types[name][0]["kind"] == "typedef":
        define = types[name][0]
        if define["shape"] == "optional":
            shape = "optional"
        if define["shape"] == "string-var":
            return ["string", shape, bound, int(define["bound_value"]), ""]
        if define["shape"] == "opaque-fixed":
            return ["uuid", shape, bound, 0, ""]
        name = define["field_type"]
    if row["shape"] == "opaque-var":
        return ["opaque", shape, bound, 0, ""]
    if name in SCALARS:
        return [SCALARS[name], shape, bound, 0, ""]
    if types[name][0]["kind"] == "enum":
        return ["int", shape, bound, 0, ""]
    return ["struct", shape, bound, 0, symbol(types, name)]


def test_every_structure_has_the_fields_of_the_facts(dump, numbers):
    types = wire_types()
    found = defaultdict(list)
    for name, field, kind, shape, bound, string_bound, _, nested in dump["field"]:
        if not name.startswith("manifold_"):    # ours alone
            found[name].append((field, [kind, shape, int(bound), int(string_bound), nested]))
    expected = {symbol(types, name): [(row["field"], expected_field(types, row, numbers)) for row in rows
                                      if row["shape"] != "discriminant"]
                for name, rows in types.items() if rows[0]["kind"] in ("struct", "union")}
    assert set(found) == set(expected)
    for name, fields in expected.items():
        assert found[name] == fields, name


def test_unions_are_chosen_by_the_numbers_of_the_facts(dump):
    types = wire_types()
    values = {row["name"]: int(row["value"]) for row in facts("enums") if row["name"].startswith("VIR_TYPED")}
    tags = {(name, field): int(tag) for name, field, _, _, _, _, tag, _ in dump["field"]}
    unions = [(name, rows) for name, rows in types.items() if rows[0]["kind"] == "union"]
    assert len(unions) == 2
    assert {name for name, kind in dump["type"] if kind == "union"} == {name for name, _ in unions}
    for name, rows in unions:
        for row in rows[1:]:
            assert tags[name, row["field"]] == values[row["note"].removeprefix("case ")]


def test_every_procedure_has_number_name_and_structures_of_the_facts(dump, numbers):
    found = {(int(p), int(n)): (name, int(kind), args, ret)
             for p, n, name, kind, _, args, ret, _ in dump["proc"]
             if int(p) != 0x4d4e4644}    # ours alone
    expected = {}
    for program in PROGRAMS:
        for row in facts(f"rpc-{program}"):
            kind = {"call": 0, "call+stream": 0, "event": 1, "message": 2}[row["kind"]]
            expected[numbers[f"{program.upper()}_PROGRAM"], int(row["number"])] = (
                row["name"], kind, row["args_type"], row["ret_type"])
    assert found == expected


def test_priority_and_streams_are_those_of_the_facts(dump, numbers):
    flags = {(int(p), int(n)): int(f) for p, n, _, _, f, _, _, _ in dump["proc"]}
    for program in PROGRAMS:
        for row in facts(f"rpc-{program}"):
            found = flags[numbers[f"{program.upper()}_PROGRAM"], int(row["number"])]
            if row["priority"] != UNREAD:
                assert bool(found & HIGH) == (row["priority"] == "high"), row["name"]
            if row["name"] == "domain_migrate_prepare_tunnel3_params":
                row["stream_direction"] = "write"       # a stream although it is not annotated
            if row["stream_direction"] != UNREAD:
                assert bool(found & STREAM_OUT) == (row["stream_direction"] == "read"), row["name"]
                assert bool(found & STREAM_IN) == (row["stream_direction"] == "write"), row["name"]
            assert bool(found & BEFORE_AUTH) == row["name"].startswith("auth_"), row["name"]


def test_descriptors_travel_with_the_calls_that_pass_them(dump):
    flags = {name: int(f) for _, _, name, _, f, _, _, _ in dump["proc"]}
    both = {"domain_monitor_command_with_files"}
    assert {name for name, f in flags.items() if f & FDS_IN} == both | {
        "domain_open_graphics", "domain_create_xml_with_files", "domain_create_with_files",
        "domain_fd_associate"}
    assert {name for name, f in flags.items() if f & FDS_OUT} == both | {
        "domain_open_graphics_fd", "domain_open_namespace"}


def expected_acl(text: str, values: dict[str, int]) -> list[list[str]]:
    rules = []
    for part in text.split(" & "):
        obj, permission, *condition = part.split(":")
        condition = [word for word in condition if word]
        when, mask = "always", 0
        if len(condition) == 2:
            when, mask = "equal", values[condition[1]]
        elif condition:
            when = "unless" if condition[0].startswith("!") else "if"
            for name in condition[0].lstrip("!").split("|"):
                mask |= values[name]
        rules.append([obj, permission, when, str(mask)])
    return rules


def test_access_rules_are_those_of_the_facts(dump, numbers):
    values = {row["name"]: int(row["value"]) for row in facts("enums") if row["value"].lstrip("-").isdigit()}
    found = {"acl": defaultdict(list), "filter": defaultdict(list)}
    for word in found:
        for program, number, *rule, _, _ in dump[word]:
            found[word][int(program), int(number)].append(rule)
    for program in ["remote", "qemu", "lxc"]:
        for row in facts(f"rpc-{program}"):
            key = (numbers[f"{program.upper()}_PROGRAM"], int(row["number"]))
            if row["acl"] not in ("", "none", UNREAD):
                assert found["acl"][key] == expected_acl(row["acl"], values), row["name"]
            elif row["acl"] == "none":
                assert not found["acl"][key], row["name"]
            if row["aclfilter"] not in ("", UNREAD):
                obj, permission = row["aclfilter"].split(":")
                assert found["filter"][key] == [[obj, permission, "always", "0"]], row["name"]


def test_no_change_is_open_to_everybody(dump):
    """What the shipped policy denies is a change, but for three rights that only look."""
    policy = {(row["object"].replace("-", "_"), row["permission"]): row["allowed_readonly_anonymous"] == "1"
              for row in facts("acl")}
    only_look = {("node_device", "read"), ("network", "search_ports"), ("storage_pool", "search_storage_vols")}
    for _, _, obj, permission, _, _, is_write, is_open in dump["acl"]:
        allowed = policy[obj, permission]
        assert bool(int(is_open)) == allowed
        assert bool(int(is_write)) == (not allowed and (obj, permission) not in only_look)


def test_events_travel_in_the_messages_of_the_facts(dump):
    classes = ["virDomainEventID", "virNetworkEventID", "virStoragePoolEventID", "virNodeDeviceEventID",
               "virSecretEventID", "qemu monitor", "close"]
    found = [(classes[int(cls)], int(id), int(number), int(legacy), register, deregister)
             for cls, id, _, number, legacy, register, deregister in dump["event"]]
    short = re.compile(r"^[A-Z]+_PROC_")
    expected = [(row["event_enum"], int(row["id"] or 0), int(row["message_number"]),
                 int(row["legacy_message_number"] or 0), short.sub("", row["register_proc"]).lower(),
                 short.sub("", row["deregister_proc"]).lower()) for row in facts("events")]
    assert sorted(found) == sorted(expected)


def test_constants_and_enums_have_the_values_of_the_facts(made, tmp_path_factory):
    from wire_schema import load
    wire = load(TOP / "schema/wire")
    expected = {row["constant"]: int(row["value"]) for row in facts("rpc-consts")
                if row["program"] in (*PROGRAMS, "net")}
    found = {name: value for name, value in wire.consts.items() if not name.startswith("MANIFOLD_")}
    for program in wire.programs.values():
        if program.number and program.name in PROGRAMS:
            found[program.prefix + "PROGRAM"] = program.number
            found[program.prefix + "PROTOCOL_VERSION"] = program.version
    assert found == expected
    values = {enum.prefix + name: value for enum in wire.enums for name, value in enum.values}
    assert values == {row["field"]: int(row["bound_value"]) for row in facts("types")
                      if row["kind"] == "enum" and row["program"] in (*PROGRAMS, "net")}
