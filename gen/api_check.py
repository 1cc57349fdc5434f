# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Checks that need the whole API schema: every name that is used exists, every array has a count,
# every symbol a version node. Also fills in what one file alone cannot know: the numbers behind
# `= OTHER_VALUE`, and which parameters count an array. Called by api_schema.load.
from __future__ import annotations

from api_model import (SCALARS, WORDS, Api, Call, Callback, Enum, Export, Param, SchemaError,
                       TypeRef, Value, Variable)

# Ways in which a procedure and its C prototype may differ; explained in schema/api/README.md.
KINDS = {
    "open-close", "local-answer", "forwarded-identity", "out-number", "object-refresh",
    "struct-out-special", "char-words", "out-several", "string-kept", "typed-query",
    "typed-query-uncounted", "typed-alloc", "stat-query", "typed-matrix", "cpumaps",
    "buffer-out", "struct-list-alloc", "struct-list-caller", "cell-arrays", "fd-out", "fd-in",
    "monitor-command", "event-registration", "migration", "uuid-from-text",
}
# Ways in which the library answers by itself.
LOCALS = {"ref", "free", "connect", "parent", "name", "uuid", "uuid-text", "id", "field",
          "struct-free", "library"}
PROGRAMS = {"remote", "qemu", "lxc", "admin", "manifold"}
RETURNS = {"void", "status", "count"}


def check(api: Api) -> None:
    check_files(api)
    for enum in api.enums.values():
        for value in enum.values:
            resolve(api, value, [])
    for struct in api.structs.values():
        if struct.same_as and struct.same_as not in api.structs:
            raise SchemaError(struct.where, f"there is no struct '{struct.same_as}'")
    for entry in [*api.calls.values(), *api.callbacks.values()]:
        check_params(api, entry)
    for call in api.calls.values():
        check_call(api, call)
    for symbol in [*api.variables.values(), *api.exports.values()]:
        check_node(api, symbol)
    for fields in api.fields:
        for name in [*fields.users, *([fields.group] if fields.group else [])]:
            if name not in api.calls and name not in api.values:
                raise SchemaError(fields.where, f"there is no call or value '{name}'")
    for event in api.events.values():
        if event.name not in api.values:
            raise SchemaError(event.where, f"no enum has a value '{event.name}'")
        if event.callback not in api.callbacks:
            raise SchemaError(event.where, f"there is no callback '{event.callback}'")


def check_files(api: Api) -> None:
    for header in api.headers.values():
        if header.library not in api.libraries:
            raise SchemaError(header.where, f"there is no library '{header.library}'; known: "
                              + ", ".join(sorted(api.libraries)))
        for name in [*header.includes, *header.instead]:
            if name not in api.headers:
                raise SchemaError(header.where, f"there is no header '{name}'")
    for subject in api.subjects.values():
        if subject.header not in api.headers:
            raise SchemaError(subject.where, f"there is no header '{subject.header}'; known: "
                              + ", ".join(sorted(api.headers)))


def resolve(api: Api, value: Value, seen: list[str]) -> int:
    """The number of a value that is written as the name of another."""
    if not (value.written[0].isalpha() or value.written[0] == "_"):
        return value.value
    if value.name in seen:
        raise SchemaError(value.where, f"{value.name} is defined by itself")
    other = api.values.get(value.written)
    if other is None:
        raise SchemaError(value.where, f"no enum has a value '{value.written}'")
    value.value = resolve(api, other, [*seen, value.name])
    return value.value


def check_params(api: Api, entry: Call | Callback) -> None:
    by_name: dict[str, Param] = {}
    for param in entry.params:
        if param.name in by_name:
            raise SchemaError(param.where, f"a second parameter '{param.name}'")
        by_name[param.name] = param
    for param in entry.params:
        check_type(api, param.type, param.where)
        length = param.type.length
        if not length or length.isdigit():
            continue
        if length not in by_name:
            raise SchemaError(param.where, f"'{param.name}' is counted by '{length}', which is "
                              f"no parameter of {entry.name}")
        by_name[length].counts.append(param.name)
    if entry.ret.type.word not in RETURNS:
        check_type(api, entry.ret.type, entry.ret.where)


def check_type(api: Api, t: TypeRef, where: str) -> None:
    if t.word == "struct" and t.name not in api.structs:
        raise SchemaError(where, f"there is no struct '{t.name}'")
    if t.word == "callback" and t.name not in api.callbacks:
        raise SchemaError(where, f"there is no callback '{t.name}'")
    if t.word == "flags" and t.name != "none":
        check_enum(api, t.name, where)
    if t.enum:
        check_enum(api, t.enum, where)
    known = t.word in SCALARS or t.word in WORDS or t.word in api.objects
    if not known and t.word not in ("struct", "callback", "flags"):
        raise SchemaError(where, f"'{t.word}' is no type; a word of schema/api/README.md or an "
                          "object's word is needed")


def check_enum(api: Api, name: str, where: str) -> Enum:
    if name not in api.enums:
        raise SchemaError(where, f"there is no enum '{name}'")
    return api.enums[name]


def check_call(api: Api, call: Call) -> None:
    check_node(api, call)
    for param in call.params:
        try:
            api.c_type(param.direction, param.type)
        except KeyError:
            raise SchemaError(param.where, f"'{param.direction} {param.name}' cannot be a "
                              f"{param.type.word} {param.type.shape}") from None
    if [p for p in call.params[1:] if p.direction == "self"]:
        raise SchemaError(call.where, "'self' must be the first parameter, and only one")
    if not call.wire and not call.local and not call.client_hand:
        raise SchemaError(call.where, "say what the call does: 'wire PROGRAM NUMBER', "
                          "'local HOW' or 'client hand -- why'")
    if call.wire and call.wire.program not in PROGRAMS:
        raise SchemaError(call.where, f"'{call.wire.program}' is no program; known: "
                          + ", ".join(sorted(PROGRAMS)))
    if call.wire and set(call.wire.order) - {p.name for p in call.params}:
        raise SchemaError(call.where, "'order' names something that is no parameter")
    if call.kind and call.kind not in KINDS:
        raise SchemaError(call.where, f"'{call.kind}' is no kind; known: "
                          + ", ".join(sorted(KINDS)))
    if call.local and call.local.split()[0] not in LOCALS:
        raise SchemaError(call.where, f"'{call.local}' is no local answer; known: "
                          + ", ".join(sorted(LOCALS)))
    for fail in call.fails:
        for code in fail.codes:
            if code not in api.values:
                raise SchemaError(call.where, f"there is no error {code}")


def check_node(api: Api, entry: Call | Variable | Export) -> None:
    library = api.library_of(entry)
    release = entry.node or entry.since
    if release not in library.nodes:
        raise SchemaError(entry.where, f"{library.name} has no version node {release}: add it "
                          "to the library's 'nodes', or name another with 'node'")
