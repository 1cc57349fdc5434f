# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads schema/wire/*.wire into a checked model of the protocols: constants, structures, unions,
# procedures, permissions and events. Every mistake becomes a SchemaError with file and line.
# The language is shown in schema/wire/README.md; what is made of it is in gen/wire_*.py.
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

SCALARS = ("int", "uint", "hyper", "uhyper", "double", "char", "uchar", "short", "ushort")
RUNS = ("loop", "worker", "strand", "server")
OBJECT_OF_TYPE = {
    "nonnull_domain": "domain", "nonnull_domain_snapshot": "domain_snapshot",
    "nonnull_domain_checkpoint": "domain_checkpoint", "nonnull_network": "network",
    "nonnull_network_port": "network_port", "nonnull_storage_pool": "storage_pool",
    "nonnull_storage_vol": "storage_vol", "nonnull_nwfilter": "nwfilter",
    "nonnull_nwfilter_binding": "nwfilter_binding", "nonnull_interface": "interface",
    "nonnull_secret": "secret", "nonnull_node_device": "node_device",
}


class SchemaError(Exception):
    """A mistake in a schema file: where it is, what it is, what would be right."""

    def __init__(self, where: "Where", text: str) -> None:
        super().__init__(f"{where}: {text}")


@dataclass(frozen=True)
class Where:
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Field:
    """One value on the wire. base is a scalar, 'string', 'uuid', 'opaque' or a structure's name."""

    name: str
    base: str
    where: Where
    optional: bool = False
    bound_name: str = ""     # full name of the constant, or ""
    bound: int = 0           # most elements of a counted array
    fixed: int = 0           # elements of a fixed array
    tag: str = ""            # arm of a union: the public constant that selects it
    struct: "Struct | None" = None

    @property
    def counted(self) -> bool:
        return self.bound > 0


@dataclass
class Struct:
    program: str
    name: str                # without the program: "domain_get_info_args"
    where: Where
    fields: list[Field] = field(default_factory=list)
    tag: str = ""            # of a union: the name of its discriminant

    @property
    def c_name(self) -> str:
        return camel(f"{self.program}_{self.name}")

    @property
    def symbol(self) -> str:
        return f"{self.program}_{self.name}"


@dataclass
class Permission:
    object: str
    name: str
    where: Where
    when: str = ""           # "", "if" or "unless"
    param: str = "flags"     # the argument that is looked at
    equals: bool = False     # the argument is compared, not masked
    masks: list[str] = field(default_factory=list)


@dataclass
class Proc:
    program: "Program"
    number: int
    name: str
    kind: str                # call, event, message
    where: Where
    public: str = ""         # C function, "" when it has none
    high: bool = False
    run: str = "server"
    stream: str = ""         # read: the daemon sends; write: the client sends
    fds: str = ""            # in: client to daemon; out: daemon to client; both
    before_auth: bool = False
    changes: bool = False
    acl: list[Permission] = field(default_factory=list)
    filter: Permission | None = None
    args: Struct | None = None
    ret: Struct | None = None

    @property
    def symbol(self) -> str:
        return f"{self.program.name}_{self.name}"

    @property
    def c_function(self) -> str:
        """The name that errors give: the public function, or what it would be called."""
        return self.public or "vir" + camel(self.name)

    def arg(self, name: str) -> Field | None:
        return next((f for f in self.args.fields if f.name == name), None) if self.args else None


@dataclass
class Program:
    name: str
    where: Where
    number: int = 0
    version: int = 0
    prefix: str = ""         # of its constants
    strings: str = ""        # the constant that bounds strings
    procs: list[Proc] = field(default_factory=list)


@dataclass
class Event:
    cls: str
    id: int
    name: str
    where: Where
    proc: Proc
    legacy: Proc | None


@dataclass
class EventClass:
    name: str
    where: Where
    register: Proc | None = None
    deregister: Proc | None = None
    events: list[Event] = field(default_factory=list)


@dataclass
class Enum:
    prefix: str
    name: str
    where: Where
    values: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Wire:
    programs: dict[str, Program] = field(default_factory=dict)
    consts: dict[str, int] = field(default_factory=dict)
    enums: list[Enum] = field(default_factory=list)
    structs: dict[str, Struct] = field(default_factory=dict)     # by symbol, in order of use
    permissions: dict[tuple[str, str], str] = field(default_factory=dict)
    events: list[EventClass] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def procs(self) -> list[Proc]:
        return [proc for program in self.programs.values() for proc in program.procs]

    def string_bound(self, struct: Struct) -> int:
        return self.consts[self.programs[struct.program].strings]

    def is_write(self, proc: Proc) -> bool:
        """True when no read-only connection may make the call, whatever its flags."""
        return proc.changes or any(self.permissions[p.object, p.name] == "change"
                                   for p in proc.acl if not p.when)


def camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def load(folder: Path) -> Wire:
    """Read every file below @folder; raises SchemaError for the first mistake."""
    from wire_parse import Parser      # the two halves of this loader know each other

    wire = Wire()
    parser = Parser(wire)
    for path in sorted(folder.rglob("*.wire"), key=_reading_order):
        wire.files.append(str(path))
        parser.read(path)
    parser.finish()
    for program in wire.programs.values():
        program.procs.sort(key=lambda proc: proc.number)
    return wire


def _reading_order(path: Path) -> tuple[int, int, str]:
    """Permissions first, events last; a program before its files; remote before who borrows of it."""
    stage = {"permissions": 0, "events": 9}.get(path.stem, 3)
    if path.parent.name == "remote":
        stage = 1 if path.stem == "program" else 2
    return (stage, len(path.parts), path.name)


def identifier(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) is not None
