# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loader of schema/wire: every mistake is told with file and line; and what the generators make is
the same each time."""
import re

import pytest
from conftest import TOP

import wire_main
from wire_schema import SchemaError, load

PERMISSIONS = "object domain\n  read anyone\n  write change\n"
BASE = """\
program x 0x10 version 1
  constants X_
  strings STRING_MAX
const STRING_MAX 100
const LIST_MAX 4
struct thing
  name string
call 1 do_it virDoIt : low worker
  acl domain:read
  arg thing thing
  arg flags uint
  ret names string<LIST_MAX>
"""
LINES = BASE.count("\n")


def read(tmp_path, text: str):
    (tmp_path / "permissions.wire").write_text(PERMISSIONS)
    (tmp_path / "x.wire").write_text(text)
    return load(tmp_path)


def test_a_small_schema_is_read(tmp_path):
    wire = read(tmp_path, BASE)
    proc = wire.programs["x"].procs[0]
    assert (proc.number, proc.public, proc.run) == (1, "virDoIt", "worker")
    assert [f.name for f in proc.args.fields] == ["thing", "flags"]
    assert proc.ret.fields[0].bound == 4
    assert not wire.is_write(proc)


@pytest.mark.parametrize("line, text", [
    ("call 1 other virOther : low worker", "clashes with do_it"),
    ("call 2 do_it virOther : low worker", "clashes with do_it"),
    ("call two other virOther : low worker", "'two' is no number"),
    ("call 2 other virOther : mid worker", "high or low"),
    ("call 2 other virOther : low thread", "loop, worker, strand, server"),
    ("call 2 other", "a call is 'call NUMBER NAME"),
    ("struct thing\n  name string", "exists already at"),
    ("struct empty", "has no field"),
    ("const LIST_MAX 5", "given twice"),
    ("frobnicate", "unknown word 'frobnicate'"),
    ("program x 0x11 version 1", "write 'in x' to add to it"),
    ("in y", "'in' needs one of"),
    ("struct other\n  a strnig", "unknown type 'strnig'"),
    ("struct other\n  a string<OTHER_MAX>", "no constant X_OTHER_MAX"),
    ("struct other\n  a opaque", "opaque needs a bound"),
    ("struct other\n  a int\n  a uint", "given twice"),
    ("call 2 other virOther : low loop\n  acl domain:fly", "no permission 'domain:fly'"),
    ("call 2 other virOther : low loop\n  acl domain:write if FLAG\n  ret a int",
     "no argument 'flags' to look at"),
    ("call 2 other virOther : low loop\n  acl domain:write when FLAG", "a condition is"),
    ("call 2 other virOther : low loop\n  stream sideways", "a call has lines"),
    ("event 2 other\n  arg a int", "only 'msg NAME TYPE' lines"),
    ("events domain\n  register x.nothing", "no procedure 'x.nothing'"),
    ("events domain\n  event 0 SOME x.do_it", "is no event message"),
])
def test_a_mistake_is_told_with_file_and_line(tmp_path, line, text):
    with pytest.raises(SchemaError) as caught:
        read(tmp_path, BASE + line + "\n")
    place, _, message = str(caught.value).partition(": ")
    file, number = place.rsplit(":", 1)
    assert file.endswith("x.wire")
    assert LINES < int(number) <= LINES + 1 + line.count("\n")
    assert text in message


def test_an_indented_line_needs_a_block(tmp_path):
    with pytest.raises(SchemaError, match=r"x.wire:1: .*no block is open"):
        read(tmp_path, "  name string\n")


def test_generators_report_what_c_cannot_say(tmp_path):
    wire = read(tmp_path, BASE + "struct other\n  a int?\n")
    with pytest.raises(SchemaError, match="only strings and structures are optional"):
        wire_main.OUTPUTS["api-structs.h"](wire)
    wire = read(tmp_path, BASE + "call 2 other virOther : low strand\n  arg flags uint\n")
    with pytest.raises(SchemaError, match="names no object that has a strand"):
        wire_main.OUTPUTS["api-procs.c"](wire)
    wire = read(tmp_path, BASE + "call 3 other virOther : low loop\n")
    with pytest.raises(SchemaError, match="number 2 is missing"):
        wire_main.OUTPUTS["api-procs.c"](wire)


def test_output_is_stable_and_names_no_folder_of_this_machine():
    one, two = load(TOP / "schema/wire"), load(TOP / "schema/wire")
    for name, emit in wire_main.OUTPUTS.items():
        text = emit(one)
        assert text == emit(two), name
        assert str(TOP) not in text, name


def test_public_names_agree_with_the_api_schema(api):
    """schema/wire names the C function of a procedure for errors; schema/api links the two the other way."""
    wire = load(TOP / "schema/wire")
    for proc in wire.procs:
        calls = {call.name for call in api.calls_of(proc.program.name, proc.number)}
        if proc.public and calls:
            assert proc.public in calls, proc.name
        if calls:
            assert proc.public, f"{proc.name} is {calls}"


def test_calls_on_the_loop_change_nothing():
    wire = load(TOP / "schema/wire")
    writers = [proc.name for proc in wire.procs if proc.run == "loop" and wire.is_write(proc)]
    assert writers == ["secret_get_value"]      # looks at a secret, which is no business of everybody


def test_every_domain_change_is_on_a_strand_or_says_why_not():
    """Only calls that signal past the queue, wait for a guest agent or open a stream leave the strand."""
    wire = load(TOP / "schema/wire")
    off = {proc.name for proc in wire.procs if proc.run == "worker" and wire.is_write(proc)
           and proc.args and proc.args.fields[0].struct
           and proc.args.fields[0].struct.name == "nonnull_domain"}
    assert off == {
        "domain_destroy", "domain_destroy_flags", "domain_abort_job", "domain_abort_job_flags",
        "domain_block_peek", "domain_open_console", "domain_open_channel", "domain_open_namespace",
        "domain_fd_associate",
        "domain_agent_command", "domain_get_time", "domain_set_time", "domain_get_guest_info",
        "domain_get_fsinfo", "domain_fsfreeze", "domain_fsthaw", "domain_fstrim", "domain_get_hostname",
        "domain_authorized_ssh_keys_get", "domain_authorized_ssh_keys_set", "domain_get_guest_vcpus",
        "domain_set_guest_vcpus", "domain_set_user_password", "domain_pm_suspend_for_duration",
    }


def test_generated_c_reads_like_c():
    """No line is left with an empty expression or an unresolved word."""
    wire = load(TOP / "schema/wire")
    for name, emit in wire_main.OUTPUTS.items():
        assert not re.search(r"\bNone\b|\{\{|\}\};\n\}", emit(wire)), name
