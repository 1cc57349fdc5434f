# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What schema/api says, as typed values: one class for each kind of entry, and the C type that a
# parameter's words stand for. api_schema.py fills these; the emitters (api_headers.py and others)
# and the wire generators only read them. schema/api/README.md explains the words.
from __future__ import annotations

from dataclasses import dataclass, field

SCALARS = {
    "int": "int", "uint": "unsigned int", "long": "long", "ulong": "unsigned long",
    "llong": "long long", "ullong": "unsigned long long", "size": "size_t", "double": "double",
    "bool": "int", "pointer": "void *",
}
# Words that take no name and are not scalars; objects (`domain`) come from the schema itself.
WORDS = {"string", "names", "typed", "uuid", "uuid-text", "cpumap", "bytes", "data", "buffer",
         "fds"}
SHAPES = {"plain", "array", "alloc", "list"}


class SchemaError(Exception):
    """A mistake in a schema file; the text starts with file:line."""

    def __init__(self, where: str, text: str):
        super().__init__(f"{where}: {text}")


@dataclass
class TypeRef:
    """`string?`, `typed[nparams] alloc`, `struct virDomainInfo`, `uint of virDomainXMLFlags`."""
    word: str                    # scalar, one of WORDS, an object's word, struct, callback, flags
    name: str = ""               # the struct, callback or flags enum
    enum: str = ""               # `of ENUM`: the values that an integer takes
    nullable: bool = False
    const: bool = False
    shape: str = "plain"         # plain, array (caller's), alloc (ours), list (NULL-terminated)
    length: str = ""             # parameter that counts an array, or a number


@dataclass
class Param:
    direction: str               # self, in, out, inout
    name: str
    type: TypeRef
    doc: str
    where: str
    counts: list[str] = field(default_factory=list)   # arrays whose length this one is


@dataclass
class Ret:
    type: TypeRef                # word may also be void, status, count
    failure: str                 # value that means failure: -1, NULL, 0, none
    doc: str
    where: str


@dataclass
class Wire:
    program: str                 # remote, qemu, lxc, admin
    number: int
    order: list[str]             # C parameter names in wire order, when not the C order


@dataclass
class Fail:
    codes: list[str]             # VIR_ERR_... names
    when: str


@dataclass
class Entry:
    name: str
    since: str
    doc: str                     # one line
    details: list[str]
    where: str
    subject: str


@dataclass
class Call(Entry):
    params: list[Param]
    ret: Ret
    wire: Wire | None
    kind: str                    # '' = mapped by rule; otherwise a kind of schema/api/README.md
    local: str                   # '' or how the library answers without a call
    client_hand: str             # '' or why the client stub is written by hand
    server_hand: str
    fails: list[Fail]
    node: str                    # explicit version node, else derived from since

    def param(self, name: str) -> Param | None:
        return next((p for p in self.params if p.name == name), None)

    @property
    def self_param(self) -> Param | None:
        return next((p for p in self.params if p.direction == "self"), None)

    @property
    def flags(self) -> Param | None:
        return next((p for p in self.params if p.type.word == "flags"), None)


@dataclass
class Variable(Entry):
    ctype: str
    node: str


@dataclass
class Callback(Entry):
    params: list[Param]
    ret: Ret


@dataclass
class Value:
    """A row of an enum."""
    name: str
    value: int
    written: str                 # as the header shows it: 0x4, -1, or another enum's name
    since: str
    sentinel: bool
    texts: list[str]             # errors: without and with detail; error domains: display name
    doc: str
    where: str


@dataclass
class Enum(Entry):
    values: list[Value]
    is_flags: bool


@dataclass
class Macro(Entry):
    kind: str                    # number, function, name
    args: list[str]
    body: str


@dataclass
class Field:
    """A typed parameter's field name, with or without a macro of its own."""
    macro: str
    text: str
    type: str                    # int, uint, llong, ullong, double, bool, string, '' = no type
    full: str                    # assembled name, when text is only a part of it
    since: str
    doc: str
    where: str


@dataclass
class Fields:
    users: list[str]             # calls that take or give them, or the event that carries them
    group: str                   # enum value that asks for them, '' = they come always
    title: str
    rows: list[Field]
    where: str
    subject: str


@dataclass
class Member:
    ctype: str
    name: str
    array: str                   # constant between [ ], or ''
    doc: str
    where: str
    deprecated: bool = False
    union: list[Member] = field(default_factory=list)


@dataclass
class Struct(Entry):
    tag: str
    pointer: str                 # name of the pointer typedef, '' = has none
    pointer_since: str
    opaque: bool
    members: list[Member]
    word: str                    # objects: the word for it in parameter types
    same_as: str                 # another name for that struct


@dataclass
class Typedef(Entry):
    ctype: str


@dataclass
class Event(Entry):
    """An event's callback; which message carries it stands in schema/wire/events.wire."""
    callback: str


@dataclass
class Export(Entry):
    """A symbol whose prototype is not known: exported, not declared, answers NO_SUPPORT."""
    node: str


@dataclass
class Library:
    name: str
    soname: str
    node_prefix: str
    nodes: list[str]             # releases with a node, in inheritance order
    where: str


@dataclass
class Header:
    name: str
    library: str
    title: str
    includes: list[str]
    instead: list[str]           # headers of which one must be included for this one
    where: str
    folder: str = "libvirt"      # <folder/name.h>


@dataclass
class Subject:
    name: str
    header: str
    title: str
    module: str                  # as the API description names the source, '' = as the header
    where: str


@dataclass
class Api:
    version: str = ""
    libraries: dict[str, Library] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    exports: dict[str, Export] = field(default_factory=dict)
    callbacks: dict[str, Callback] = field(default_factory=dict)
    enums: dict[str, Enum] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    fields: list[Fields] = field(default_factory=list)
    structs: dict[str, Struct] = field(default_factory=dict)
    typedefs: dict[str, Typedef] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    objects: dict[str, Struct] = field(default_factory=dict)     # by word

    def header_of(self, entry: Entry | Fields) -> Header:
        return self.headers[self.subjects[entry.subject].header]

    def library_of(self, entry: Entry) -> Library:
        return self.libraries[self.header_of(entry).library]

    def node_of(self, entry: Call | Variable | Export) -> str:
        """Version node that the symbol is bound to: that of its release, unless said."""
        return self.library_of(entry).node_prefix + (entry.node or entry.since)

    def calls_of(self, program: str, number: int) -> list[Call]:
        return [c for c in self.calls.values()
                if c.wire and (c.wire.program, c.wire.number) == (program, number)]

    # -- C types ---------------------------------------------------------------------------

    def struct_pointer(self, t: TypeRef) -> str:
        if t.const:
            return f"const {t.name} *"
        return self.structs[t.name].pointer

    def c_type(self, direction: str, t: TypeRef) -> str:
        """The C type of a parameter, as the header spells it."""
        out = direction in ("out", "inout")
        if t.word in SCALARS or t.word == "flags":
            base = SCALARS.get(t.word, "unsigned int")
            stars = {"plain": int(out), "array": 1, "alloc": 2, "list": 2}[t.shape]
            return base + (("" if base.endswith("*") else " ") + "*" * stars if stars else "")
        if t.word == "callback":
            return t.name
        if t.word in self.objects or t.word in ("struct", "typed"):
            base = ("virTypedParameterPtr" if t.word == "typed" else
                    self.struct_pointer(t) if t.word == "struct" else
                    self.objects[t.word].pointer)
            stars = {"plain": 0, "array": 0, "alloc": 1, "list": 2 if out else 1}[t.shape]
            return base + (" " + "*" * stars if stars else "")
        return self._c_bytes(out, t)

    @staticmethod
    def _c_bytes(out: bool, t: TypeRef) -> str:
        if t.word == "string":
            if not out:
                return "const char *" if t.shape == "plain" else "const char **"
            if t.const:
                return "const char **"
            return {"plain": "char **", "array": "char **", "list": "char ***"}[t.shape]
        if t.word == "cpumap":
            return "unsigned char **" if t.shape == "alloc" else "unsigned char *"
        return {
            ("names", "array"): "char ** const",
            ("uuid", "plain"): "unsigned char *" if out else "const unsigned char *",
            ("uuid-text", "plain"): "char *",
            ("bytes", "array"): "unsigned char *" if out else "const unsigned char *",
            ("data", "array"): "char *" if out else "const char *",
            ("buffer", "array"): "void *",
            ("fds", "array"): "int *",
            ("fds", "alloc"): "int **",
        }[t.word, t.shape]

    def c_return(self, ret: Ret) -> str:
        t = ret.type
        if t.word == "void":
            return "void"
        if t.word in ("status", "count"):
            return "int"
        if t.word == "string":
            return "const char *" if t.const else "char *"
        if t.word == "bytes":
            return "unsigned char *"
        return self.c_type("in", t)

    def c_params(self, params: list[Param]) -> list[tuple[str, str]]:
        return [(self.c_type(p.direction, p.type), p.name) for p in params]

    def c_prototype(self, name: str, ret: Ret, params: list[Param]) -> str:
        args = ", ".join(declare(t, n) for t, n in self.c_params(params)) or "void"
        return f"{declare(self.c_return(ret), name)}({args})"


def declare(ctype: str, name: str) -> str:
    """`char *` and `x` make `char *x`; `int` and `x` make `int x`."""
    return ctype + name if ctype.endswith("*") else f"{ctype} {name}"
