# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generated headers against the fact tables: a program compiled with them sees the same
constants, strings, sizes, offsets and prototypes as one compiled with the reference headers."""
import re
import shutil
import subprocess

import pytest
from conftest import facts

ALL = "".join(f"#include <libvirt/{h}.h>\n" for h in
              ("libvirt", "virterror", "libvirt-qemu", "libvirt-lxc", "libvirt-admin"))
PARTS = ["libvirt-common", "libvirt-host", "libvirt-domain", "libvirt-domain-checkpoint",
         "libvirt-domain-snapshot", "libvirt-event", "libvirt-interface", "libvirt-network",
         "libvirt-nodedev", "libvirt-nwfilter", "libvirt-secret", "libvirt-storage",
         "libvirt-stream"]
WHOLE = ["libvirt", "virterror", "libvirt-qemu", "libvirt-lxc", "libvirt-admin"]


def good(run: subprocess.CompletedProcess) -> None:
    assert run.returncode == 0, run.stderr[:4000]


def test_every_constant_equals_the_fact_tables(compile_c):
    newer = {row["name"]: row["value_12.3.0"] for row in facts("enums-changed")}
    checks = []
    for row in facts("enums"):
        if row["kind"] in ("enum", "macro") and not row["name"].startswith("_vir"):
            value = newer.get(row["name"], row["value"]).split("/*")[0]
            checks.append(f'_Static_assert((long long){row["name"]} == {value}LL, '
                          f'"{row["name"]}");'.replace("LLLL", "LL").replace("LL LL", "LL"))
    assert len(checks) > 1050
    good(compile_c("#define VIR_ENUM_SENTINELS\n" + ALL + "\n".join(checks), "-c"))


def test_every_string_macro_equals_the_fact_tables(compile_c, tmp_path):
    rows = [row for row in facts("enums") if row["kind"] == "macro-string"]
    assert len(rows) > 400
    tests = "\n".join(f'    bad += strcmp({r["name"]}, {r["value"]}) && puts("{r["name"]}");'
                      for r in rows)
    good(compile_c("#include <stdio.h>\n#include <string.h>\n" + ALL
                   + "int main(void)\n{\n    int bad = 0;\n" + tests + "\n    return bad;\n}\n"))
    done = subprocess.run([tmp_path / "program"], text=True, capture_output=True)
    assert done.stdout == "" and done.returncode == 0


def test_every_size_and_offset_equals_the_fact_tables(compile_c):
    checks = set()
    for row in facts("structs"):
        if row["note"] == "opaque":
            continue
        name, member = row["typedef"], row["field"]
        checks.add(f'_Static_assert(sizeof({name}) == {row["sizeof"]}, "{name}");')
        checks.add(f'_Static_assert(_Alignof({name}) == {row["alignof"]}, "{name}");')
        checks.add(f'_Static_assert(offsetof({name}, {member}) == {row["offset"]}, '
                   f'"{name}.{member}");')
        checks.add(f'_Static_assert(sizeof((({name} *)0)->{member}) == {row["field_size"]}, '
                   f'"{name}.{member}");')
    assert len(checks) > 300
    good(compile_c("#include <stddef.h>\n" + ALL + "\n".join(sorted(checks)), "-c",
                   "-Wno-deprecated-declarations"))


def test_every_prototype_can_be_declared_again_without_conflict(compile_c):
    rows = [r for r in facts("symbols") if r["prototype"]]
    assert len(rows) == 568
    good(compile_c(ALL + "\n".join(r["prototype"] for r in rows), "-c"))


def test_every_typedef_can_be_declared_again_without_conflict(compile_c):
    lines = [r["prototype"] for r in facts("callbacks")]
    lines += [f'typedef {r["definition"]} {r["name"]};' for r in facts("typedefs")
              if r["definition"] != "enum"]
    assert len(lines) > 150
    good(compile_c(ALL + "\n".join(lines), "-c"))


def test_every_enum_type_exists(compile_c):
    names = [r["name"] for r in facts("typedefs") if r["definition"] == "enum"]
    good(compile_c(ALL + "\n".join(f"extern {n} v{i};" for i, n in enumerate(names)), "-c"))


def test_headers_declare_no_call_that_the_tables_do_not_know(made):
    known = {r["symbol"] for r in facts("symbols")}
    text = "".join(p.read_text() for p in (made / "include/libvirt").iterdir())
    declared = set(re.findall(r"^[a-z][\w *]*?\b(vir\w+)\(", text, re.M))
    assert declared == {n for n in known if n not in ("virConnectAuthPtrDefault",
                                                     "virDomainAnnounceInterface")}


def test_headers_define_no_macro_that_the_tables_do_not_know(compile_c, tmp_path):
    good(compile_c(ALL, "-dM", "-E"))
    seen = set(re.findall(r"#define ((?:VIR_|LIBVIR_|_vir)\w+)",
                          (tmp_path / "program").read_text()))
    known = {r["name"] for r in facts("enums") if r["kind"].startswith("macro")}
    assert seen - known == {"VIR_DEPRECATED", "VIR_EXPORT_VAR"}
    assert known - seen == set()


@pytest.mark.parametrize("header", PARTS)
def test_parts_refuse_to_be_included_directly(compile_c, header):
    run = compile_c(f"#include <libvirt/{header}.h>\n", "-c")
    assert run.returncode != 0 and "instead of this file" in run.stderr


@pytest.mark.parametrize("header", WHOLE)
def test_wholes_stand_alone(compile_c, header):
    good(compile_c(f"#include <libvirt/{header}.h>\n#include <libvirt/{header}.h>\n", "-c"))


@pytest.mark.parametrize("compiler", ["g++", "clang", "clang++"])
def test_headers_compile_with_other_compilers_and_as_cplusplus(compile_c, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    body = "int main() { virConnectPtr c = 0; (void)c; return VIR_ERR_OK; }\n"
    if not compiler.endswith("++"):
        body = body.replace("main()", "main(void)")
    good(compile_c(ALL + body, "-c", compiler=compiler))


def test_function_macros_do_what_they_say(compile_c, tmp_path):
    good(compile_c("#include <string.h>\n#include <stdio.h>\n#include <stdlib.h>\n" + ALL + """
#define NEED(x) if (!(x)) { puts(#x); exit(1); }
static void cb(virConnectPtr c, virDomainPtr d, int e, int f, void *o)
{ (void)c; (void)d; (void)e; (void)f; (void)o; }
int main(void)
{
    unsigned char maps[6] = { 0 }, one[2] = { 0 };
    virNodeInfo node = { .nodes = 2, .sockets = 3, .cores = 5, .threads = 7 };

    NEED(LIBVIR_CHECK_VERSION(0, 9, 13));
    NEED(LIBVIR_CHECK_VERSION(9, 0, 0));
    NEED(!LIBVIR_CHECK_VERSION(99, 0, 0));
    NEED(VIR_CPU_MAPLEN(1) == 1 && VIR_CPU_MAPLEN(8) == 1 && VIR_CPU_MAPLEN(9) == 2);
    VIR_USE_CPU(one, 9);
    NEED(one[1] == 2 && VIR_CPU_USED(one, 9) && !VIR_CPU_USED(one, 8));
    memcpy(VIR_GET_CPUMAP(maps, 2, 1), one, 2);
    NEED(maps[3] == 2 && VIR_CPU_USABLE(maps, 2, 1, 9) && !VIR_CPU_USABLE(maps, 2, 0, 9));
    VIR_UNUSE_CPU(one, 9);
    NEED(one[1] == 0);
    VIR_COPY_CPUMAP(maps, 2, 1, one);
    NEED(one[1] == 2);
    NEED(VIR_NODEINFO_MAXCPUS(node) == 210);
    NEED((void *)VIR_DOMAIN_EVENT_CALLBACK(cb) == (void *)cb);
    return 0;
}
""", "-Wno-cast-function-type", "-Wno-pedantic"))
    done = subprocess.run([tmp_path / "program"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


def test_using_the_deprecated_members_of_an_error_warns(compile_c):
    run = compile_c("#include <libvirt/virterror.h>\n"
                    "int main(void) { virError e = {0}; return e.conn != 0; }\n")
    assert run.returncode != 0 and "deprecated" in run.stderr
