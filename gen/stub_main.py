#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes the public functions that are calls to the other side: stub_main.py API_DIR WIRE_DIR OUTPUT_DIR.
# What a function does is planned by stub_plan.py and stub_result.py; here it becomes text. Calls of the
# kinds in HAND, and those whose entry says `client hand`, are in src/client.
from __future__ import annotations

import sys
from pathlib import Path

import api_model
import api_schema
from api_model import Api, Call
from stub_plan import CONNECTION_WORDS, Stub, plan_request
from stub_result import KINDS
from wire_ctypes import LICENCE
from wire_main import write_if_changed
from wire_schema import Proc, SchemaError, Wire, load

# Kinds that have a procedure, but whose function does more than call it.
HAND = {
    "open-close": "makes or ends the connection object itself",
    "event-registration": "keeps the caller's callbacks; calls only for the first and last of them",
    "local-answer": "answers from what the connection keeps, or adds to the answer",
    "string-kept": "asks once, the answer stays in the object",
}
# Output file: subjects of schema/api whose calls are in it.
OUTPUTS = {
    "client-stubs-connect.c": ["connect", "node", "interface", "nodedev", "nwfilter", "secret"],
    "client-stubs-domain.c": ["domain", "domain-state", "domain-event"],
    "client-stubs-tune.c": ["domain-tune", "domain-guest", "domain-stats"],
    "client-stubs-snapshot.c": ["domain-snapshot", "domain-checkpoint", "domain-block",
                                "domain-migrate"],
    "client-stubs-network.c": ["network", "network-port", "storage-pool", "storage-volume", "stream"],
    "client-stubs-qemu.c": ["qemu"],
    "client-stubs-lxc.c": ["lxc"],
    "client-stubs-admin.c": ["admin"],
    "client-stubs-manifold.c": ["manifold"],
}


def is_hand(call: Call) -> bool:
    return bool(call.client_hand) or call.kind in HAND


def hand_reason(call: Call) -> str:
    return call.client_hand or HAND[call.kind]


def stub_calls(api: Api) -> list[Call]:
    return [call for call in api.calls.values() if call.wire and not is_hand(call)]


def find_proc(wire: Wire, call: Call) -> Proc:
    assert call.wire
    for proc in wire.programs[call.wire.program].procs:
        if proc.number == call.wire.number:
            return proc
    raise SchemaError(call.where, f"{call.name}: {call.wire.program} has no procedure "     # type: ignore
                                  f"{call.wire.number}")


def plan(api: Api, wire: Wire, call: Call) -> Stub:
    stub = Stub(api, wire, call, find_proc(wire, call))
    if call.kind not in KINDS:
        raise stub.mistake(f"there is no stub for the kind '{call.kind}': add it to gen/stub_result.py, "
                           "or write 'client hand -- why'")
    plan_request(stub)
    KINDS[call.kind](stub)
    return stub


def text(stub: Stub) -> str:
    call, proc = stub.call, stub.proc
    result_type = stub.api.c_return(call.ret)
    params = ", ".join(api_model.declare(t, n) for t, n in stub.api.c_params(call.params)) or "void"
    lines = [f"/* {short(call.where)} */", result_type.rstrip(), f"{call.name}({params})", "{",
             "    g_autoptr(GError) error = NULL;", f"    ClientConn *link = {enter(stub)};"]
    if proc.args:
        lines.append(f"    {proc.args.c_name} request = {{ 0 }};")
    if proc.ret:
        lines.append(f"    {proc.ret.c_name} reply = {{ 0 }};")
        if stub.owns_reply:
            lines.append(f"    G_GNUC_UNUSED g_auto(StubOwned) owned = {{ CODEC({proc.ret.c_name}), &reply }};")
    lines += [f"    {decl}" for decl in stub.decls]
    lines += ["", "    if (!link)", f"        return {call.ret.failure};"]
    if stub.checks:
        lines += condition(stub.checks) + [f"        return {stub.fail_with};"]
    lines += [f"    {line}" if line else "" for line in stub.fills]
    lines += condition([stub.send]) + [f"        return {stub.fail_with};"]
    lines += [f"    {line}" if line else "" for line in stub.after]
    return "\n".join(lines + [f"    return {stub.result};", "}\n"])


def condition(checks: list[str]) -> list[str]:
    """`if (!a || !b)`, a line for each."""
    lines = [("    if (" if index == 0 else "        ") + f"!{check} ||"
             for index, check in enumerate(checks)]
    lines[-1] = lines[-1][:-3] + ")"
    return lines


def enter(stub: Stub) -> str:
    me = stub.call.self_param
    if me is not None:
        return f"client_enter_{me.type.word.replace('-', '_')}({me.name}, __func__)"
    first = stub.call.params[0]
    if first.type.word == "domain" and first.type.shape == "list":
        return f"client_enter_domains({first.name}, __func__)"
    raise stub.mistake("a call needs an object to be made on: write a 'self' parameter")


def short(where: str) -> str:
    return where[where.find("schema/api"):]


def emit(api: Api, wire: Wire, subjects: list[str]) -> str:
    out = [LICENCE + "/* Generated from schema/api and schema/wire by gen/stub_main.py: public functions that "
           "call the other side. */",
           "#define ERROR_DOMAIN VIR_FROM_NONE\n",
           '#include "client/stub_convert.h"\n#include "client/stub_runtime.h"\n\n'
           '#include "gen/api-codec.h"\n\n#include <libvirt/libvirt-lxc.h>\n'
           "#include <libvirt/libvirt-qemu.h>\n"
           + ("#include <manifold/manifold.h>\n" if subjects == ["manifold"] else "") + "#include <string.h>\n"]
    out += [text(plan(api, wire, call)) for call in stub_calls(api) if call.subject in subjects]
    return "\n".join(out)


def main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print("usage: stub_main.py API_DIR WIRE_DIR OUTPUT_DIR", file=sys.stderr)
        return 2
    try:
        api = api_schema.load(arguments[0])
        wire = load(Path(arguments[1]))
        known = {subject for subjects in OUTPUTS.values() for subject in subjects}
        for call in stub_calls(api):
            if call.subject not in known:
                raise SchemaError(call.where, f"subject '{call.subject}' has no file in "   # type: ignore
                                              "gen/stub_main.py")
        texts = {name: emit(api, wire, subjects) for name, subjects in OUTPUTS.items()}
    except (SchemaError, api_model.SchemaError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, source in texts.items():
        write_if_changed(Path(arguments[2]) / name, source)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
