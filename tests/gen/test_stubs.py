# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generated client functions: every public call with a procedure has one, or is written by hand for a
reason; what they do is tested in C (tests/unit/stubs.c)."""
import re

import pytest
from conftest import TOP

import stub_main
from api_model import Call
from wire_schema import SchemaError, load

# Calls with a procedure whose function is in src/client. The count only falls.
HAND_WRITTEN = 26


@pytest.fixture(scope="module")
def wire():
    return load(TOP / "schema/wire")


@pytest.fixture(scope="module")
def texts(api, wire):
    return {name: stub_main.emit(api, wire, subjects) for name, subjects in stub_main.OUTPUTS.items()}


def test_few_calls_are_written_by_hand_and_each_has_a_reason(api):
    hand = [call for call in api.calls.values() if call.wire and stub_main.is_hand(call)]
    assert len(hand) == HAND_WRITTEN
    assert all(stub_main.hand_reason(call) for call in hand)


def test_every_other_call_is_generated_once(api, texts):
    names = re.findall(r"^((?:vir|manifold)\w+)\(", "\n".join(texts.values()), re.MULTILINE)
    assert sorted(names) == sorted(call.name for call in stub_main.stub_calls(api))


def test_every_procedure_with_a_public_name_is_called(api, wire):
    called = {(call.wire.program, call.wire.number) for call in api.calls.values() if call.wire}
    for proc in wire.procs:
        if proc.kind == "call" and proc.public:
            assert (proc.program.name, proc.number) in called or "register_any" in proc.name, proc.name


def test_every_argument_is_sent(api, wire):
    """A parameter that is neither sent nor an answer would be ignored silently."""
    silent = {"stream", "fds"}
    for call in stub_main.stub_calls(api):
        text = stub_main.text(stub_main.plan(api, wire, call))
        body = text[text.index("{"):]
        for param in call.params:
            if param.type.word not in silent:
                assert re.search(rf"\b{param.name}\b", body), f"{call.name}: {param.name}"


def test_writes_are_refused_before_anything_is_sent(api, wire):
    for call in stub_main.stub_calls(api):
        stub = stub_main.plan(api, wire, call)
        if wire.is_write(stub.proc):
            assert stub.checks[0].startswith("client_writable"), call.name


def test_mandatory_strings_are_checked(api, wire):
    for call in stub_main.stub_calls(api):
        stub = stub_main.plan(api, wire, call)
        for param in call.params:
            if param.direction == "in" and param.type.word == "string" and param.type.shape == "plain":
                is_checked = any(f'"{param.name}"' in check for check in stub.checks)
                assert is_checked == (not param.type.nullable), f"{call.name}: {param.name}"


def changed(api, name: str, **fields) -> Call:
    call = api.calls[name]
    return Call(**{**call.__dict__, **fields})


def test_a_parameter_without_a_wire_field_is_a_mistake(api, wire):
    params = api.calls["virDomainSuspend"].params + api.calls["virDomainReset"].params[1:]
    with pytest.raises(SchemaError, match=r"domain.*\.api:\d+: virDomainSuspend: flags would not be sent"):
        stub_main.plan(api, wire, changed(api, "virDomainSuspend", params=params))


def test_a_field_without_a_parameter_is_a_mistake(api, wire):
    params = api.calls["virDomainReset"].params[:1]
    with pytest.raises(SchemaError, match="no parameter is left for 'flags'"):
        stub_main.plan(api, wire, changed(api, "virDomainReset", params=params))


def test_an_unknown_kind_is_a_mistake(api, wire):
    with pytest.raises(SchemaError, match="no stub for the kind 'magic'"):
        stub_main.plan(api, wire, changed(api, "virDomainReset", kind="magic"))


def test_output_is_stable_and_names_no_folder_of_this_machine(api, wire, texts):
    for name, subjects in stub_main.OUTPUTS.items():
        assert texts[name] == stub_main.emit(api, wire, subjects)
        assert str(TOP) not in texts[name]
