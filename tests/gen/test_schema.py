# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loader of schema/api: what it accepts, and that every mistake is told with file and line."""
import pytest
from conftest import TOP

import api_schema
from api_model import SchemaError

BASE = """\
version 9.0.0

library libx
  soname  libx.so.0
  prefix  LIBX_
  nodes   1.0.0 1.1.0

header x
  The header.
  library  libx

subject x
  A subject.
  header  x

object virX  word thing                since 1.0.0

flags virXFlags                        since 1.0.0
  VIR_X_A  = 0x1
  VIR_X_B  = VIR_X_A  since 1.1.0

callback virXFunc                      since 1.0.0
  in  opaque  pointer
  ret void
"""
LINES = BASE.count("\n")
CALL = """
api virXDo                             since 1.0.0
  Do it.
  self   x      thing
  out    names  string[n]
  in     n      int
  in     flags  flags virXFlags
  ret    count
  wire   remote 7
"""


def load(tmp_path, text):
    (tmp_path / "x.api").write_text(text)
    return api_schema.load(tmp_path)


def test_an_entry_becomes_a_prototype(tmp_path):
    api = load(tmp_path, BASE + CALL)
    call = api.calls["virXDo"]
    assert api.c_prototype(call.name, call.ret, call.params) == \
        "int virXDo(virXPtr x, char **names, int n, unsigned int flags)"
    assert call.param("n").counts == ["names"]
    assert api.node_of(call) == "LIBX_1.0.0"
    assert (call.wire.program, call.wire.number) == ("remote", 7)
    assert api.values["VIR_X_B"].value == 1
    assert call.doc == "Do it."


@pytest.mark.parametrize("old, new, line, words", [
    ("since 1.0.0\n  Do", "since 1.0\n  Do", 1, "not a release"),
    ("since 1.0.0\n  Do", "\n  Do", 1, "release is missing"),
    ("since 1.0.0\n  Do", "since 3.0.0\n  Do", 1, "no version node 3.0.0"),
    ("x      thing", "x      thong", 3, "'thong' is no type"),
    ("x      thing", "x", 3, "write 'self name type'"),
    ("string[n]", "string[m]", 4, "counted by 'm'"),
    ("string[n]", "string[n", 4, "is not a type"),
    ("string[n]", "uuid list", 4, "cannot be a uuid list"),
    ("virXFlags\n  ret", "virYFlags\n  ret", 6, "no enum 'virYFlags'"),
    ("  ret    count\n", "", 1, "one line 'ret' is needed"),
    ("  wire   remote 7\n", "", 1, "say what the call does"),
    ("remote 7", "remote seven", 8, "write 'wire PROGRAM NUMBER'"),
    ("remote 7", "ether 7", 1, "'ether' is no program"),
    ("remote 7", "remote 7\n  kind   odd", 1, "'odd' is no kind"),
    ("remote 7", "remote 7\n  client hand", 9, "client hand -- why"),
    ("remote 7", "remote 7\n  colour red", 9, "'colour' does not belong"),
    ("remote 7", "remote 7\n  fails  NO_SUCH_CODE", 1, "no error VIR_ERR_NO_SUCH_CODE"),
    ("in     n      int", "in     names  int", 5, "a second parameter"),
    ("in     n      int", "\tin    n      int", 5, "a tab"),
])
def test_a_mistake_in_a_call_is_told_with_file_and_line(tmp_path, old, new, line, words):
    text = CALL.replace(old, new)
    assert text != CALL
    with pytest.raises(SchemaError) as error:
        load(tmp_path, BASE + text)
    where = f"{tmp_path}/x.api:{LINES + 1 + line}: "
    assert str(error.value).startswith(where), str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize("text, words", [
    ("colour red\n", "starts no entry"),
    ("api\n", "needs a name"),
    ("object virX  word thing  since 1.0.0\n", "described twice"),
    ("enum virY since 1.0.0\n  VIR_Y = 1 2\n", "write 'NAME = value'"),
    ("enum virY since 1.0.0\n  VIR_Y = %\n", "neither a number nor a name"),
    ("enum virY since 1.0.0\n  VIR_Y = VIR_Z\n", "no enum has a value 'VIR_Z'"),
    ("enum virY since 1.0.0\n  VIR_Y = VIR_Y\n", "defined by itself"),
    ("number VIR_N since 1.0.0\n", "write 'number NAME = value"),
    ("macro VIR_M( since 1.0.0\n", "write 'macro NAME(a, b)"),
    ("typedef x since 1.0.0\n", "write 'typedef NAME = C type"),
    ("fields virXDo\n  VIR_F 5\n", "write 'MACRO ="),
    ('fields virXDo\n  VIR_F = "f" int\n', "release is missing"),
    ("struct virS since 1.0.0\n  int\n", "write a member as C does"),
    ("event VIR_E since 1.0.0\n  callback virXFunc\n", "no enum has a value 'VIR_E'"),
    ("event VIR_X_A since 1.0.0\n  callback virYFunc\n", "no callback 'virYFunc'"),
    ("header y\n  library  liby\n", "no library 'liby'"),
    ("subject y\n  header  y\n", "no header 'y'"),
])
def test_a_mistake_in_another_entry_is_told_with_file_and_line(tmp_path, text, words):
    with pytest.raises(SchemaError) as error:
        load(tmp_path, BASE + text)
    assert words in str(error.value), str(error.value)
    place = str(error.value).split(": ")[0]
    assert place.rsplit(":", 1)[0] == f"{tmp_path}/x.api"
    assert LINES < int(place.rsplit(":", 1)[1]) <= LINES + text.count("\n")


def test_a_file_says_its_subject_first(tmp_path):
    with pytest.raises(SchemaError, match=r"x.api:1: the file does not say its subject"):
        load(tmp_path, "api virXDo since 1.0.0\n  ret void\n")


def test_every_call_has_a_summary_of_one_line(api):
    bad = [f"{c.where}: {c.name}" for c in api.calls.values()
           if not c.doc or len(c.doc) > 100 or not c.doc.endswith(".")]
    assert bad == []


def test_summaries_do_not_repeat_the_name(api):
    assert [c.name for c in api.calls.values() if c.name in c.doc] == []


def test_every_subject_and_header_has_a_title(api):
    assert [s.where for s in [*api.subjects.values(), *api.headers.values()] if not s.title] == []


def test_stubs_written_by_hand_are_few_and_say_why(api):
    by_hand = [c.name for c in api.calls.values() if c.client_hand]
    print(len(by_hand), "client stubs by hand:", *by_hand)
    assert len(by_hand) < 40
    assert all(len(c.client_hand) > 10 for c in api.calls.values() if c.client_hand)


def test_every_schema_file_is_known_to_the_build():
    text = (TOP / "include/libvirt/meson.build").read_text()
    for path in (TOP / "schema/api").glob("*.api"):
        assert f"'{path.stem}'" in text or f"/{path.name}'" in text, path.name
