# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reads schema/api/*.api into the classes of api_model.py and checks what can be checked there.
# Every mistake is reported as file:line with what would be right. `load(folder)` is all that a
# generator needs. The language is explained in schema/api/README.md.
from __future__ import annotations

import re
import sys
from pathlib import Path

import api_check
from api_model import (SCALARS, Api, Call, Callback, Enum, Event, Export, Fail, Field, Fields,
                       Header, Library, Macro, Member, Param, Ret, SchemaError, Struct, Subject,
                       TypeRef, Typedef, Value, Variable, Wire)

VERSION = re.compile(r"\d+\.\d+\.\d+$")
NAME = re.compile(r"[A-Za-z_]\w*$")
DIRECTIONS = ("self", "in", "out", "inout")
FAILURES = {"void": "none", "status": "-1", "count": "-1"}


class Line:
    """One line without comment, its indent, its trailing `-- doc`, and where it stands."""

    def __init__(self, where: str, indent: int, text: str):
        self.where, self.indent = where, indent
        self.text, _, doc = text.partition(" -- ")
        self.text, self.doc = self.text.strip(), doc.strip()
        self.words = self.text.split()

    def fail(self, text: str) -> SchemaError:
        return SchemaError(self.where, text)

    def option(self, word: str) -> str:
        """Take `WORD value` out of the line and return the value, or '' when absent."""
        if word not in self.words[1:]:
            return ""
        at = self.words.index(word, 1)
        if at + 1 >= len(self.words):
            raise self.fail(f"'{word}' needs a value after it")
        value = self.words[at + 1]
        del self.words[at:at + 2]
        self.text = " ".join(self.words)
        return value

    def since(self, default: str = "") -> str:
        value = self.option("since") or default
        if not VERSION.match(value):
            raise self.fail(f"'since {value}' is not a release: write since 1.2.3"
                            if value else "the release is missing: write since 1.2.3")
        return value


class Block:
    """An entry: its first line, its doc lines, and the rows below."""

    def __init__(self, head: Line, rows: list[Line]):
        self.head, self.doc, self.details, self.rows = head, "", [], []
        for row in rows:
            if row.text.startswith("|"):
                self.details.append(row.text[1:].strip())
            elif not self.rows and not self.doc and row.text[0].isupper() and \
                    not re.match(r"[A-Z][A-Z0-9_]+ ", row.text) and row.text.endswith("."):
                self.doc = row.text + (f" -- {row.doc}" if row.doc else "")
            else:
                self.rows.append(row)

    def only(self, *keywords: str) -> None:
        for row in self.rows:
            if row.words[0] not in keywords:
                raise row.fail(f"'{row.words[0]}' does not belong in '{self.head.words[0]}': "
                               f"use one of {', '.join(keywords)}")

    def rows_of(self, word: str) -> list[Line]:
        return [row for row in self.rows if row.words[0] == word]

    def value(self, keyword: str, default: str | None = None) -> str:
        rows = self.rows_of(keyword)
        if not rows:
            if default is None:
                raise self.head.fail(f"the line '{keyword}' is missing")
            return default
        if len(rows) > 1:
            raise rows[1].fail(f"'{keyword}' is said twice")
        return " ".join(rows[0].words[1:])

    def entry(self, name: str, subject: str) -> dict:
        return dict(name=name, since=self.head.since(), doc=self.doc, details=self.details,
                    where=self.head.where, subject=subject)


def read_blocks(path: Path) -> list[Block]:
    groups: list[tuple[Line, list[Line]]] = []
    for number, raw in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        where = f"{path}:{number}"
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if "\t" in raw:
            raise SchemaError(where, "there is a tab: indent with spaces")
        line = Line(where, len(raw) - len(raw.lstrip()), raw)
        if line.indent == 0:
            groups.append((line, []))
        elif not groups:
            raise line.fail("an indented line before the first entry")
        else:
            groups[-1][1].append(line)
    return [Block(head, rows) for head, rows in groups]


def parse_type(line: Line, words: list[str]) -> TypeRef:
    if not words:
        raise line.fail("the type is missing")
    words = list(words)
    t = TypeRef(word="")
    if words[0] == "const":
        t.const = True
        words.pop(0)
    if words and words[-1] in ("alloc", "list"):
        t.shape = words.pop()
    if "of" in words[1:]:
        at = words.index("of")
        t.enum = " ".join(words[at + 1:])
        words = words[:at]
    if len(words) == 2 and words[0] in ("struct", "callback", "flags"):
        t.word, last = words
    elif len(words) == 1 and words[0] not in ("struct", "callback", "flags"):
        last = words[0]
    else:
        raise line.fail(f"'{' '.join(words) or 'const'}' is not a type: write a word such as "
                        "string, uint, domain, 'struct NAME', 'callback NAME' or 'flags NAME'")
    match = re.match(r"([\w-]+)(\?)?(?:\[(\w+)\])?$", last)
    if not match:
        raise line.fail(f"'{last}' is not a type: write name, name?, or name[length]")
    t.nullable, t.length = bool(match[2]), match[3] or ""
    if t.word:
        t.name = match[1]
    else:
        t.word = match[1]
    if t.length and t.shape == "plain":
        t.shape = "array"
    return t


def parse_params(block: Block) -> list[Param]:
    params = []
    for row in block.rows:
        if row.words[0] in DIRECTIONS:
            if len(row.words) < 3:
                raise row.fail(f"write '{row.words[0]} name type'")
            params.append(Param(row.words[0], row.words[1], parse_type(row, row.words[2:]),
                                row.doc, row.where))
    return params


def parse_ret(block: Block) -> Ret:
    rows = block.rows_of("ret")
    if len(rows) != 1:
        raise block.head.fail("one line 'ret' is needed: ret void, ret status, ret count, ...")
    row, failure = rows[0], rows[0].option("failure")
    t = parse_type(row, row.words[1:])
    if not failure:
        failure = FAILURES.get(t.word, "-1" if t.word in SCALARS else "NULL")
    return Ret(t, failure, row.doc, row.where)


def parse_fails(block: Block) -> list[Fail]:
    fails = []
    for row in block.rows_of("fails"):
        codes, _, when = row.text[len("fails"):].partition(" when ")
        names = ["VIR_ERR_" + c.strip() for c in codes.split(",") if c.strip()]
        fails.append(Fail(names, when.strip()))
    return fails


def words_of(block: Block, keyword: str) -> list[str]:
    return [word for row in block.rows_of(keyword) for word in row.words[1:]]


class Reader:
    """Takes blocks into an Api; one method for each first word."""

    def __init__(self, api: Api):
        self.api, self.subject = api, ""

    def take(self, table: dict, name: str, value: object, line: Line) -> None:
        if name in table:
            raise line.fail(f"{name} is described twice, first at {table[name].where}")
        table[name] = value

    def read(self, block: Block) -> None:
        head = block.head
        method = getattr(self, "read_" + head.words[0].replace("-", "_"), None)
        if method is None:
            raise head.fail(f"'{head.words[0]}' starts no entry; entries start with "
                            + ", ".join(sorted(m[5:] for m in dir(self) if m[:5] == "read_")))
        if len(head.words) < 2:
            raise head.fail(f"'{head.words[0]}' needs a name")
        if not self.subject and head.words[0] not in ("version", "library", "header", "subject"):
            raise head.fail("the file does not say its subject: write 'subject NAME' first")
        method(block)

    def read_version(self, block: Block) -> None:
        self.api.version = block.head.words[1]

    def read_library(self, block: Block) -> None:
        block.only("soname", "prefix", "nodes")
        name = block.head.words[1]
        self.take(self.api.libraries, name, Library(
            name, block.value("soname"), block.value("prefix"),
            words_of(block, "nodes"), block.head.where),
            block.head)

    def read_header(self, block: Block) -> None:
        block.only("library", "folder", "includes", "instead")
        name = block.head.words[1]
        self.take(self.api.headers, name, Header(
            name, block.value("library"), block.doc, words_of(block, "includes"),
            words_of(block, "instead"), block.head.where,
            block.value("folder", "libvirt")), block.head)

    def read_subject(self, block: Block) -> None:
        block.only("header", "module")
        self.subject = block.head.words[1]
        self.take(self.api.subjects, self.subject, Subject(
            self.subject, block.value("header"), block.doc, block.value("module", ""),
            block.head.where), block.head)

    def read_api(self, block: Block) -> None:
        block.only(*DIRECTIONS, "ret", "wire", "kind", "local", "client", "server", "fails",
                   "node")
        head, name = block.head, block.head.words[1]
        hand = {}
        for side in ("client", "server"):
            rows = block.rows_of(side)
            if rows and (rows[0].words[1:] != ["hand"] or not rows[0].doc):
                raise rows[0].fail(f"write '{side} hand -- why no kind fits'")
            hand[side] = rows[0].doc if rows else ""
        call = Call(**block.entry(name, self.subject), params=parse_params(block),
                    ret=parse_ret(block), wire=self.parse_wire(block),
                    kind=block.value("kind", ""), local=block.value("local", ""),
                    client_hand=hand["client"], server_hand=hand["server"],
                    fails=parse_fails(block), node=block.value("node", ""))
        self.take(self.api.calls, name, call, head)

    def parse_wire(self, block: Block) -> Wire | None:
        rows = block.rows_of("wire")
        if not rows:
            return None
        words = rows[0].words[1:]
        if len(words) < 2 or not words[1].isdigit() or (len(words) > 2 and words[2] != "order"):
            raise rows[0].fail("write 'wire PROGRAM NUMBER', then 'order a b c' if it differs")
        return Wire(words[0], int(words[1]), words[3:])

    def read_variable(self, block: Block) -> None:
        block.only("type", "node")
        name = block.head.words[1]
        self.take(self.api.variables, name, Variable(
            **block.entry(name, self.subject), ctype=block.value("type"),
            node=block.value("node", "")), block.head)

    def read_callback(self, block: Block) -> None:
        block.only(*DIRECTIONS, "ret")
        name = block.head.words[1]
        self.take(self.api.callbacks, name, Callback(
            **block.entry(name, self.subject), params=parse_params(block),
            ret=parse_ret(block)), block.head)

    def read_flags(self, block: Block) -> None:
        self.read_enum(block, is_flags=True)

    def read_enum(self, block: Block, is_flags: bool = False) -> None:
        name = block.head.words[1]
        enum = Enum(**block.entry(name, self.subject), values=[], is_flags=is_flags)
        for row in block.rows:
            value = self.parse_value(row, enum)
            enum.values.append(value)
            self.take(self.api.values, value.name, value, row)
        self.take(self.api.enums, name, enum, block.head)

    @staticmethod
    def parse_value(row: Line, enum: Enum) -> Value:
        texts = [t.replace('\\"', '"') for t in re.findall(r'"((?:[^"\\]|\\.)*)"', row.text)]
        row.words = re.sub(r'"(?:[^"\\]|\\.)*"', "", row.text).split()
        since = row.since(enum.since)
        sentinel = row.words[-1] == "sentinel"
        words = row.words[:-1] if sentinel else row.words
        if len(words) != 3 or words[1] != "=" or not NAME.match(words[0]):
            raise row.fail("write 'NAME = value', then texts in quotes, 'sentinel', 'since'")
        written = words[2]
        try:
            value = int(written, 0)
        except ValueError:
            value = 0                       # another value's name; api_check resolves it
            if not NAME.match(written):
                raise row.fail(f"'{written}' is neither a number nor a name") from None
        return Value(words[0], value, written, since, sentinel, texts, row.doc, row.where)

    def read_number(self, block: Block) -> None:
        match = re.match(r"number (\w+) = (.+?) since ", " ".join(block.head.words))
        if not match:
            raise block.head.fail("write 'number NAME = value since 1.2.3'")
        self.take_macro(block, "number", match[1], [], match[2])

    def read_macro(self, block: Block) -> None:
        match = re.match(r"macro (\w+)(?:\(([\w, ]*)\))? since ",
                         " ".join(block.head.words))
        if not match:
            raise block.head.fail("write 'macro NAME(a, b) since 1.2.3', the body below")
        args = [a.strip() for a in (match[2] or "").split(",") if a.strip()]
        body = " ".join(row.text for row in block.rows)
        self.take_macro(block, "function" if args else "name", match[1], args, body)

    def take_macro(self, block: Block, kind: str, name: str, args: list[str], body: str) -> None:
        self.take(self.api.macros, name, Macro(**block.entry(name, self.subject), kind=kind,
                                               args=args, body=body), block.head)

    def read_fields(self, block: Block) -> None:
        group = block.head.option("group")
        fields = Fields(block.head.words[1:], group, block.doc, [], block.head.where, self.subject)
        for row in block.rows:
            text = re.sub(r"\s+", " ", row.text)
            match = re.match(r'(?:(\w+) = )?"([^"]*)"(?: (int|uint|llong|ullong|double|bool|'
                             r'string))?(?: full (\S+))?(?: since (\S+))?$', text)
            if not match:
                raise row.fail('write \'MACRO = "text" type since 1.2.3\' or \'"text" type\'')
            if match[1] and not match[5]:
                raise row.fail("the release is missing: write since 1.2.3")
            fields.rows.append(Field(match[1] or "", match[2], match[3] or "", match[4] or "",
                                     match[5] or "", row.doc, row.where))
        self.api.fields.append(fields)

    def read_object(self, block: Block) -> None:
        self.read_struct(block, opaque=True)

    def read_struct(self, block: Block, opaque: bool = False) -> None:
        head = block.head
        name, tag = head.words[1], head.option("tag")
        pointer, pointer_since = head.option("pointer") or name + "Ptr", head.option("ptr-since")
        same_as, word = head.option("same"), head.option("word")
        entry = block.entry(name, self.subject)
        struct = Struct(**entry, tag=tag or "_" + name, pointer="" if pointer == "none" else
                        pointer, pointer_since=pointer_since or entry["since"], opaque=opaque,
                        members=[], word=word, same_as=same_as)
        for row in block.rows:
            member = self.parse_member(row)
            if row.indent > block.rows[0].indent:
                struct.members[-1].union.append(member)
            else:
                struct.members.append(member)
        self.take(self.api.structs, name, struct, head)
        if opaque:
            self.take(self.api.objects, word or name, struct, head)

    @staticmethod
    def parse_member(row: Line) -> Member:
        text, deprecated = re.subn(r"\s+deprecated$", "", row.text)
        match = re.match(r"(.+?[\s*])(\w+)(?:\[(\w+)\])?$", text)
        if not match:
            raise row.fail("write a member as C does: 'unsigned int cpus', 'char model[32]'")
        return Member(match[1].strip(), match[2], match[3] or "", row.doc, row.where,
                      deprecated=bool(deprecated))

    def read_typedef(self, block: Block) -> None:
        match = re.match(r"typedef (\w+) = (.+?) since ", " ".join(block.head.words))
        if not match:
            raise block.head.fail("write 'typedef NAME = C type since 1.2.3'")
        self.take(self.api.typedefs, match[1], Typedef(
            **block.entry(match[1], self.subject), ctype=match[2]), block.head)

    def read_event(self, block: Block) -> None:
        block.only("callback")
        head = block.head
        self.take(self.api.events, head.words[1], Event(
            **block.entry(head.words[1], self.subject), callback=block.value("callback")), head)

    def read_export(self, block: Block) -> None:
        block.only()
        name = block.head.words[1]
        self.take(self.api.exports, name, Export(**block.entry(name, self.subject), node=""),
                  block.head)


def load(folder: str | Path) -> Api:
    """Read every .api file in @folder. Raises SchemaError for the first mistake."""
    api = Api()
    for path in sorted(Path(folder).glob("*.api")):
        reader = Reader(api)
        for block in read_blocks(path):
            reader.read(block)
    api_check.check(api)
    return api


def load_or_exit(folder: str | Path) -> Api:
    """For programs: print the mistake as a compiler does, and end."""
    try:
        return load(folder)
    except SchemaError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
