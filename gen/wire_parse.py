# SPDX-License-Identifier: LGPL-2.1-or-later
# The line-by-line half of the wire schema loader: one method for each kind of line. Blocks start
# at column 0, what belongs to them is indented. The model that it fills is in gen/wire_schema.py.
from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

from wire_schema import (RUNS, SCALARS, Enum, Event, EventClass, Field, Permission, Proc, Program,
                         SchemaError, Struct, Where, Wire, identifier)


class Parser:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.program: Program | None = None
        self.block: Callable[[list[str], Where], None] | None = None
        self.numbers: dict[tuple[str, int], Proc] = {}
        self.names: dict[str, Proc] = {}

    def read(self, path: Path) -> None:
        self.program = None
        self.block = None
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = Where(str(path), number)
            line = re.split(r"(?:^|\s)(?:#|--)(?:\s|$)", text, maxsplit=1)[0]
            words = line.split()
            if not words:
                continue
            if not text[0].isspace():
                self.start(words, where)
            elif self.block is None:
                raise SchemaError(where, f"'{words[0]}' is indented but no block is open: "
                                         "start the line at column 0")
            else:
                self.block(words, where)

    # -- blocks -------------------------------------------------------------------------------

    def start(self, words: list[str], where: Where) -> None:
        starters = {"program": self.start_program, "in": self.start_in, "const": self.add_const,
                    "enum": self.start_enum, "struct": self.start_struct, "union": self.start_union,
                    "call": self.start_call, "event": self.start_message,
                    "message": self.start_message, "object": self.start_object,
                    "events": self.start_events}
        if words[0] not in starters:
            raise SchemaError(where, f"unknown word '{words[0]}': one of {', '.join(starters)}")
        self.block = None
        starters[words[0]](words, where)

    def start_program(self, words: list[str], where: Where) -> None:
        if len(words) not in (2, 5) or (len(words) == 5 and words[3] != "version"):
            raise SchemaError(where, "a program is 'program NAME [NUMBER version N]'")
        if words[1] in self.wire.programs:
            raise SchemaError(where, f"program '{words[1]}' exists already: "
                                     f"write 'in {words[1]}' to add to it")
        program = Program(words[1], where)
        if len(words) == 5:
            program.number = self.number(words[2], where)
            program.version = self.number(words[4], where)
        self.wire.programs[program.name] = program
        self.program = program
        self.block = self.program_line

    def program_line(self, words: list[str], where: Where) -> None:
        assert self.program
        if len(words) != 2 or words[0] not in ("constants", "strings"):
            raise SchemaError(where, "a program has 'constants PREFIX' and 'strings CONSTANT'")
        if words[0] == "constants":
            self.program.prefix = words[1]
        else:
            self.program.strings = self.const_name(words[1], where)

    def start_in(self, words: list[str], where: Where) -> None:
        if len(words) != 2 or words[1] not in self.wire.programs:
            raise SchemaError(where, f"'in' needs one of {', '.join(self.wire.programs)}")
        self.program = self.wire.programs[words[1]]

    def add_const(self, words: list[str], where: Where) -> None:
        if len(words) != 3:
            raise SchemaError(where, "a constant is 'const NAME NUMBER'")
        name = self.const_name(words[1], where)
        if name in self.wire.consts:
            raise SchemaError(where, f"constant {name} is given twice")
        self.wire.consts[name] = self.number(words[2], where)

    def start_enum(self, words: list[str], where: Where) -> None:
        enum = Enum(self.need_program(where).prefix, self.block_name(words, 2, where), where)
        self.wire.enums.append(enum)

        def line(words: list[str], where: Where) -> None:
            if len(words) != 2:
                raise SchemaError(where, "an enum's value is 'NAME NUMBER'")
            enum.values.append((words[0], self.number(words[1], where)))

        self.block = line

    def start_struct(self, words: list[str], where: Where) -> None:
        struct = self.new_struct(self.block_name(words, 2, where), where)

        def line(words: list[str], where: Where) -> None:
            self.add_field(struct, words, where)

        self.block = line

    def start_union(self, words: list[str], where: Where) -> None:
        if len(words) != 4 or words[2] != "on":
            raise SchemaError(where, "a union is 'union NAME on FIELD'")
        struct = self.new_struct(words[1], where)
        struct.tag = words[3]

        def line(words: list[str], where: Where) -> None:
            if len(words) != 3:
                raise SchemaError(where, "a union's arm is 'CONSTANT FIELD TYPE'")
            self.add_field(struct, words[1:], where)
            struct.fields[-1].tag = words[0]

        self.block = line

    def start_call(self, words: list[str], where: Where) -> None:
        if len(words) != 7 or words[4] != ":":
            raise SchemaError(where, "a call is 'call NUMBER NAME C_NAME|internal : high|low "
                                     f"{'|'.join(RUNS)}'")
        proc = self.new_proc("call", words[1], words[2], where)
        proc.public = "" if words[3] == "internal" else words[3]
        if words[5] not in ("high", "low"):
            raise SchemaError(where, f"priority '{words[5]}': high or low")
        if words[6] not in RUNS:
            raise SchemaError(where, f"'{words[6]}' says where the call runs: {', '.join(RUNS)}")
        proc.high = words[5] == "high"
        proc.run = words[6]
        self.block = lambda words, where: self.call_line(proc, words, where)

    def start_message(self, words: list[str], where: Where) -> None:
        if len(words) != 3:
            raise SchemaError(where, f"it is '{words[0]} NUMBER NAME'")
        proc = self.new_proc(words[0], words[1], words[2], where)

        def line(words: list[str], where: Where) -> None:
            if words[0] != "msg":
                raise SchemaError(where, f"'{words[0]}': a message has only 'msg NAME TYPE' lines")
            proc.args = proc.args or self.new_struct(proc.name + "_msg", proc.where)
            self.add_field(proc.args, words[1:], where)

        self.block = line

    def start_object(self, words: list[str], where: Where) -> None:
        name = self.block_name(words, 2, where)

        def line(words: list[str], where: Where) -> None:
            if len(words) != 2 or words[1] not in ("anyone", "observe", "change"):
                raise SchemaError(where, "a permission is 'NAME anyone|observe|change'")
            self.wire.permissions[name, words[0]] = words[1]

        self.block = line

    def start_events(self, words: list[str], where: Where) -> None:
        cls = EventClass(self.block_name(words, 2, where), where)
        self.wire.events.append(cls)

        def line(words: list[str], where: Where) -> None:
            if words[0] in ("register", "deregister") and len(words) == 2:
                setattr(cls, words[0], self.find_proc(words[1], where))
            elif words[0] == "event" and len(words) in (4, 5):
                legacy = self.find_proc(words[4], where) if len(words) == 5 else None
                cls.events.append(Event(cls.name, self.number(words[1], where), words[2], where,
                                        self.find_proc(words[3], where), legacy))
            else:
                raise SchemaError(where, "it is 'register PROC', 'deregister PROC' or "
                                         "'event ID NAME MESSAGE [OLD_MESSAGE]'")

        self.block = line

    # -- lines of a call ----------------------------------------------------------------------

    def call_line(self, proc: Proc, words: list[str], where: Where) -> None:
        word, rest = words[0], words[1:]
        if word == "arg":
            proc.args = proc.args or self.new_struct(proc.name + "_args", proc.where)
            self.add_field(proc.args, rest, where)
        elif word == "ret":
            proc.ret = proc.ret or self.new_struct(proc.name + "_ret", proc.where)
            self.add_field(proc.ret, rest, where)
        elif word == "acl":
            proc.acl.append(self.permission(rest, where))
        elif word == "filter":
            proc.filter = self.permission(rest, where)
        elif word == "stream" and rest in (["read"], ["write"]):
            proc.stream = rest[0]
        elif word == "fds" and rest in (["in"], ["out"], ["both"]):
            proc.fds = rest[0]
        elif words == ["before-auth"]:
            proc.before_auth = True
        elif words == ["changes"]:
            proc.changes = True
        else:
            raise SchemaError(where, f"'{' '.join(words)}': a call has lines arg, ret, acl, filter, "
                                     "stream read|write, fds in|out|both, before-auth, changes")

    def permission(self, words: list[str], where: Where) -> Permission:
        obj, _, name = words[0].partition(":") if words else ("", "", "")
        if (obj, name) not in self.wire.permissions:
            raise SchemaError(where, f"no permission '{' '.join(words[:1])}' in permissions.wire")
        permission = Permission(obj, name, where)
        condition = words[1:]
        if not condition:
            return permission
        if condition[0] not in ("if", "unless") or len(condition) < 2:
            raise SchemaError(where, "a condition is 'if FLAG', 'if ARG = VALUE' or "
                                     "'unless FLAG | FLAG'")
        permission.when = condition[0]
        if "=" in condition:
            permission.equals = True
            permission.param = condition[1]
            permission.masks = condition[3:]
        else:
            permission.masks = [mask for mask in condition[1:] if mask != "|"]
        for mask in permission.masks:
            if not identifier(mask):
                raise SchemaError(where, f"'{mask}' is no constant")
        return permission

    # -- parts --------------------------------------------------------------------------------

    def add_field(self, struct: Struct, words: list[str], where: Where) -> None:
        if len(words) != 2:
            raise SchemaError(where, "a field is 'NAME TYPE'")
        name, text = words
        if any(other.name == name for other in struct.fields):
            raise SchemaError(where, f"field '{name}' is given twice")
        match = re.fullmatch(r"([a-z_.0-9]+)(\?|<([A-Za-z_0-9.]+)>|\[([0-9]+)\])?", text)
        if not match:
            raise SchemaError(where, f"type '{text}': T, T?, T<BOUND> or T[COUNT]")
        base, suffix, bound, fixed = match.groups()
        value = Field(name, base, where)
        value.optional = suffix == "?"
        value.fixed = int(fixed) if fixed else 0
        if bound:
            value.bound_name = "" if bound.isdigit() else self.const_name(bound, where)
            value.bound = int(bound) if bound.isdigit() else self.const_value(value.bound_name, where)
        if base not in (*SCALARS, "string", "uuid", "opaque"):
            value.struct = self.find_struct(base, where)
        if base == "opaque" and not bound:
            raise SchemaError(where, f"field '{name}': opaque needs a bound, opaque<MAX>")
        struct.fields.append(value)

    def new_struct(self, name: str, where: Where) -> Struct:
        struct = Struct(self.need_program(where).name, name, where)
        if struct.symbol in self.wire.structs:
            other = self.wire.structs[struct.symbol].where
            raise SchemaError(where, f"structure {name} exists already at {other}")
        self.wire.structs[struct.symbol] = struct
        return struct

    def new_proc(self, kind: str, number: str, name: str, where: Where) -> Proc:
        program = self.need_program(where)
        proc = Proc(program, self.number(number, where), name, kind, where)
        other = self.numbers.get((program.name, proc.number)) or self.names.get(proc.symbol)
        if other:
            raise SchemaError(where, f"{program.name} {number} {name} clashes with "
                                     f"{other.name} at {other.where}")
        self.numbers[program.name, proc.number] = proc
        self.names[proc.symbol] = proc
        program.procs.append(proc)
        return proc

    def find_struct(self, name: str, where: Where) -> Struct:
        program, _, rest = name.rpartition(".")
        symbol = f"{program or self.need_program(where).name}_{rest}"
        if symbol not in self.wire.structs:
            raise SchemaError(where, f"unknown type '{name}': a scalar, string, uuid, opaque or a "
                                     "structure written above")
        return self.wire.structs[symbol]

    def find_proc(self, name: str, where: Where) -> Proc:
        symbol = name.replace(".", "_", 1)
        if symbol not in self.names:
            raise SchemaError(where, f"no procedure '{name}': it is PROGRAM.NAME")
        return self.names[symbol]

    def const_name(self, name: str, where: Where) -> str:
        program, _, rest = name.rpartition(".")
        if program and program not in self.wire.programs:
            raise SchemaError(where, f"no program '{program}'")
        owner = self.wire.programs[program] if program else self.need_program(where)
        return owner.prefix + rest

    def const_value(self, name: str, where: Where) -> int:
        if name not in self.wire.consts:
            raise SchemaError(where, f"no constant {name}: add 'const' to the program's file")
        return self.wire.consts[name]

    def number(self, text: str, where: Where) -> int:
        try:
            return int(text, 0)
        except ValueError:
            raise SchemaError(where, f"'{text}' is no number") from None

    def block_name(self, words: list[str], length: int, where: Where) -> str:
        if len(words) != length or not identifier(words[1]):
            raise SchemaError(where, f"it is '{words[0]} NAME'")
        return words[1]

    def need_program(self, where: Where) -> Program:
        if self.program is None:
            raise SchemaError(where, "say first which program this is about: 'in NAME'")
        return self.program

    # -- when all is read ---------------------------------------------------------------------

    def finish(self) -> None:
        for program in self.wire.programs.values():
            if program.strings:
                self.const_value(program.strings, program.where)
        for struct in self.wire.structs.values():
            if not struct.fields:
                raise SchemaError(struct.where, f"structure {struct.name} has no field")
            if not self.wire.programs[struct.program].strings:
                raise SchemaError(struct.where, "its program does not say how long strings may be")
        for proc in self.names.values():
            for permission in proc.acl:
                if permission.when and not proc.arg(permission.param):
                    raise SchemaError(permission.where, f"{proc.name} has no argument "
                                                        f"'{permission.param}' to look at")
        for cls in self.wire.events:
            for event in cls.events:
                self.check_event(event)

    def check_event(self, event: Event) -> None:
        if event.proc.kind != "event" or not event.proc.args:
            raise SchemaError(event.where, f"{event.proc.name} is no event message")
        if event.legacy and not event.proc.arg("msg"):
            raise SchemaError(event.where, f"{event.proc.name} does not contain the old message")
