# SPDX-License-Identifier: LGPL-2.1-or-later
# What one generated client function consists of, and the half that is the same for every kind: entering
# through its object, checks of arguments, and filling the request from the C parameters. How the reply
# becomes the result is in stub_result.py; the text around it in stub_main.py.
from __future__ import annotations

from dataclasses import dataclass, field

from api_model import Api, Call, Param
from wire_ctypes import c_base, c_field
from wire_schema import Field, Proc, SchemaError, Wire

# Words of schema/api for objects whose wire form is a structure.
OBJECT_WORDS = {"domain", "snapshot", "checkpoint", "network", "port", "interface", "pool", "volume",
                "nodedev", "nwfilter", "binding", "secret", "server", "client"}
CONNECTION_WORDS = {"connect", "adm-connect"}
NUMBER_WORDS = {"int", "uint", "long", "ulong", "llong", "ullong", "size", "double", "bool", "flags"}
LOCALS = ("request", "reply", "link", "error", "owned")
# Out parameters that callers may leave NULL.
OPTIONAL_OUT = {("virDomainGetState", "reason"), ("virDomainGetSchedulerType", "nparams"),
                ("virSecretGetValue", "value_size"), ("virNodeGetCPUMap", "online")}
# Typed arrays that may be empty, or absent.
MAY_BE_EMPTY = {"virNodeSetMemoryParameters", "virConnectSetIdentity", "virDomainBlockCopy",
                "manifoldSnapshotPlanRevert", "manifoldSnapshotPlanClone", "manifoldSnapshotRevert",
                "manifoldSnapshotClone"}


@dataclass
class Stub:
    """A function in the making: each list holds lines of C without indentation."""

    api: Api
    wire: Wire
    call: Call
    proc: Proc
    decls: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)     # expressions that are false on failure
    fills: list[str] = field(default_factory=list)
    send: str = ""                                      # expression that makes the call
    after: list[str] = field(default_factory=list)
    result: str = "0"
    owns_reply: bool = False
    used: set[str] = field(default_factory=set)         # parameters that reached the wire

    @property
    def fail_with(self) -> str:
        return {"-1": "client_fail_int(link, error)", "NULL": "client_fail_null(link, error)",
                "0": "client_fail_zero(link, error)"}[self.call.ret.failure]

    @property
    def reply_fields(self) -> list[Field]:
        return self.proc.ret.fields if self.proc.ret else []

    def reply_field(self, name: str) -> Field:
        for value in self.reply_fields:
            if value.name == name:
                return value
        raise self.mistake(f"the reply of {self.proc.name} has no field '{name}'")

    def param(self, name: str) -> Param:
        value = self.call.param(name)
        if value is None:
            raise self.mistake(f"there is no parameter '{name}'")
        return value

    def outs(self) -> list[Param]:
        return [p for p in self.call.params if p.direction in ("out", "inout")]

    def only_out(self) -> Param:
        outs = self.outs()
        if len(outs) != 1:
            raise self.mistake(f"one out parameter is expected, there are {len(outs)}")
        return outs[0]

    def check(self, function: str, *arguments: str) -> None:
        self.checks.append(f"{function}({', '.join(arguments)}, __func__, &error)")

    def need(self, name: str) -> None:
        self.check("client_need", name, f'"{name}"')

    def unless(self, condition: str) -> None:
        """After the call: fail unless @condition, an expression that sets the error."""
        self.after += [f"if (!{condition})", f"    return {self.fail_with};"]

    def mistake(self, text: str) -> SchemaError:
        return SchemaError(self.call.where, f"{self.call.name}: {text}")     # type: ignore[arg-type]


def plan_request(stub: Stub) -> None:
    """Everything up to the call."""
    taken = {p.name for p in stub.call.params} & set(LOCALS)
    if taken:
        raise stub.mistake(f"a parameter may not be called {', '.join(sorted(taken))}")
    if stub.wire.is_write(stub.proc):
        stub.checks.append("client_writable(link, __func__, &error)")
    for param in stub.call.params:
        check_param(stub, param)
    fill_request(stub)
    request = "&request" if stub.proc.args else "NULL"
    reply = "&reply" if stub.proc.ret else "NULL"
    stub.send = f"client_call(link, API_PROC({stub.proc.symbol.upper()}), {request}, {reply}, &error)"
    stream = next((p for p in stub.call.params if p.type.word == "stream"), None)
    if stream:
        stub.check("client_need_stream", "link", stream.name)
        stub.send = (f"client_call_stream(link, API_PROC({stub.proc.symbol.upper()}), {request}, "
                     f"{reply}, {stream.name}, &error)")


def check_param(stub: Stub, param: Param) -> None:
    word, name, t = param.type.word, param.name, param.type
    if param.direction == "self" or word == "stream":
        return
    if param.direction == "in":
        if t.shape == "array":
            check_in_array(stub, param)
        elif word == "string" and not t.nullable or word == "uuid":
            stub.need(name)
        elif word in OBJECT_WORDS and t.shape == "plain":
            stub.check(f"client_need_{word}", "link", name)
    elif t.shape == "array":
        check_out_array(stub, param)
    elif t.shape == "list" or t.shape == "alloc" and word in ("cpumap",):
        pass                                            # NULL asks for less
    elif param.direction == "inout" and param.counts:
        pass                                            # checked with its array
    elif (stub.call.name, name) not in OPTIONAL_OUT:
        stub.need(name)


def check_in_array(stub: Stub, param: Param) -> None:
    length, name = param.type.length, param.name
    count = stub.param(length)
    if param.type.word == "typed" and stub.call.name in MAY_BE_EMPTY or \
            param.type.word in ("string", "fds", "uint", "ullong", "bytes"):
        if count.type.word == "int":
            stub.check("client_need_nonnegative", length, f'"{length}"')
        stub.check("client_need_array", name, length, f'"{name}"')
    else:
        stub.need(name)
        stub.check("client_need_positive", length, f'"{length}"')


def check_out_array(stub: Stub, param: Param) -> None:
    """The caller's array; its length is a parameter, through a pointer when it is inout."""
    length, name = param.type.length, param.name
    count = stub.call.param(length)
    if count is None:
        return                                          # fds and the like: the kind knows
    value = f"*{length}" if count.direction == "inout" else length
    if count.direction == "inout":
        stub.need(length)
    if count.type.word == "int":
        stub.check("client_need_nonnegative", value, f'"{length}"')
    stub.check("client_need_array", name, value, f'"{name}"')


# -- the request ---------------------------------------------------------------------------------

def fill_request(stub: Stub) -> None:
    params = senders(stub)
    fields = list(stub.proc.args.fields) if stub.proc.args else []
    by_name = {p.name.lower(): p for p in params}
    matched = {id(p) for f in fields if (p := by_name.get(f.name.lower()))}
    rest = [p for p in params if id(p) not in matched]
    for value in fields:
        if value.name in ("need_results", "need_map", "need_online"):
            fill_need(stub, value)
            continue
        if value.name == "nparams" and stub.call.kind == "typed-alloc":
            continue                                    # 0: daemons send all
        param = by_name.get(value.name.lower())
        if param is None:
            if not rest and value.counted and stub.call.kind == "struct-list-alloc":
                continue                                # no domains given: all of them
            if not rest:
                raise stub.mistake(f"no parameter is left for '{value.name}' of {stub.proc.name}")
            param = rest.pop(0)
        fill_field(stub, value, param)
        stub.used.add(param.name)
    left = [p.name for p in rest if p.name not in stub.used]
    if left:
        raise stub.mistake(f"{', '.join(left)} would not be sent: {stub.proc.name} has no such field")


def senders(stub: Stub) -> list[Param]:
    """Parameters that have a wire field, in wire order; counts of input arrays go with their array."""
    counts = {p.type.length for p in stub.call.params
              if p.direction == "in" and p.type.shape == "array"}
    params = [p for p in stub.call.params
              if p.direction != "out" and p.type.word not in (*CONNECTION_WORDS, "stream", "fds")
              and p.name not in counts and not (p.name == "fd" and stub.proc.fds)]
    params = [p for p in params if not sized_struct(stub, p)]
    order = stub.call.wire.order if stub.call.wire else []
    return [stub.param(name) for name in order] if order else params


def sized_struct(stub: Stub, param: Param) -> bool:
    """`size_t size` behind a statistics structure is never sent."""
    return param.name == "size" and stub.call.kind == "struct-out-special"


def fill_need(stub: Stub, value: Field) -> None:
    names = {"need_map": "cpumap", "need_online": "online"}
    name = names.get(value.name) or next(p.name for p in stub.outs() if p.type.shape == "list")
    stub.fills.append(f"request.{c_field(value.name)} = {name} != NULL;")


def fill_field(stub: Stub, value: Field, param: Param) -> None:
    target, name, word = f"request.{c_field(value.name)}", param.name, param.type.word
    if param.type.shape == "array":
        fill_array(stub, value, param)
    elif param.type.shape == "list" and word == "domain":
        fill_domains(stub, value, param)
    elif word == "nodedev" and value.base == "string":
        stub.decls.append("RemoteNonnullNodeDevice device;")
        stub.fills += [f"client_nodedev_to_wire({name}, &device);", f"{target} = device.name;"]
    elif word in OBJECT_WORDS and value.struct:
        stub.fills.append(f"client_{word}_to_wire({name}, &{target});")
    elif word == "string" and value.base == "string":
        stub.fills.append(f"{target} = (char *){name};")
    elif word == "uuid" and value.base == "uuid":
        stub.fills.append(f"memcpy({target}, {name}, VIR_UUID_BUFLEN);")
    elif stub.call.kind == "uuid-from-text" and value.base == "uuid":
        stub.checks.append(f"stub_parse_uuid({name}, {target}, __func__, &error)")
    elif word in NUMBER_WORDS and value.struct is None and value.base not in ("string", "uuid", "opaque"):
        fill_number(stub, value, param)
    else:
        raise stub.mistake(f"parameter '{name}' ({word}) does not fit '{value.name}' of {stub.proc.name}")


def fill_number(stub: Stub, value: Field, param: Param) -> None:
    target, name = f"request.{c_field(value.name)}", param.name
    source = f"*{name}" if param.direction == "inout" else name
    if param.type.word == "flags" and stub.call.kind in ("typed-query", "typed-query-uncounted",
                                                         "typed-matrix"):
        source += " | client_string_flag(link)"
    if param.type.word == "size" and value.base in ("int", "uint"):
        stub.checks.append(f'stub_fits_word({name}, "{name}", __func__, &error)')
    stub.fills.append(f"{target} = {source};")


def fill_array(stub: Stub, value: Field, param: Param) -> None:
    target, name, count = f"request.{c_field(value.name)}", param.name, param.type.length
    if not (value.counted):
        raise stub.mistake(f"'{value.name}' of {stub.proc.name} is no array")
    if param.type.word == "typed":
        stub.decls.append("g_autofree RemoteTypedParam *items = NULL;")
        stub.checks.append(f"stub_params_to_wire({name}, {count}, &items, &error)")
        items = f"({c_base(value)} *)items" if value.struct and value.struct.program != "remote" else "items"
    else:
        kind = {"string": "char **", "opaque": "guchar *"}.get(value.base, f"{c_base(value)} *")
        items = f"({kind}){name}"
        if stub.param(count).type.word == "size":
            stub.checks.append(f'stub_fits_word({count}, "{count}", __func__, &error)')
    stub.fills += [f"{target}.count = {count};", f"{target}.items = {items};"]
    stub.used.add(count)


def fill_domains(stub: Stub, value: Field, param: Param) -> None:
    target, name = f"request.{c_field(value.name)}", param.name
    stub.decls.append("g_autofree RemoteNonnullDomain *items = NULL;")
    stub.checks.append(f"stub_domains_to_wire(link, {name}, &items, &{target}.count, __func__, &error)")
    stub.fills.append(f"{target}.items = items;")
