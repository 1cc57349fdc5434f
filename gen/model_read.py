# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads schema/model/*.model into the objects of model_ast.py. Only the form of each line is judged here; what names
mean is resolved by model_check.py. The language: schema/model/README.md.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import List, Set, Tuple, Union

from model_ast import Branch, Enum, EnumValue, Field, File, Object, Rule, SchemaError, Union_, Where, c_word, snake

NAME = re.compile(r'^[A-Z][A-Za-z0-9]*$')
XML_NAME = r'(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*'
ELEMENT = re.compile(rf'^<({XML_NAME})>$')
PATH = re.compile(rf'^<({XML_NAME}(?:/{XML_NAME})*)(?:@({XML_NAME}))?(/)?>$')
ATTRIBUTE = re.compile(rf'^@({XML_NAME})$')
TYPE = re.compile(r'^([A-Za-z][A-Za-z0-9_]*)(?:\(([^)]*)\))?([?*]?)$')
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
# word -> number of arguments
WORDS = {
    'abi': 0, 'live': 0, 'secure': 0, 'status': 0, 'migratable': 0, 'input': 0, 'hidden': 0, 'always': 0, 'open': 0, 'required': 0, 'needed': 0, 'shape': 1,
    'nonempty': 0, 'tag': 0, 'again': 0, 'as': 1, 'range': 1, 'bare': 1, 'by': 1, 'when': 1, 'custom': 2, 'missing': 2, 'bad': 2,
    'since': 1,
}


def unquote(token: str) -> str:
    if len(token) >= 2 and token[0] == '"' and token[-1] == '"':
        return re.sub(r'\\(.)', r'\1', token[1:-1])
    return token


def split_line(text: str) -> Tuple[List[str], str]:
    """The tokens of a line and its documentation."""
    tokens: List[str] = []
    for match in TOKEN.finditer(text):
        token = match.group()
        if token == '--':
            return tokens, re.sub(r'\s+#\s.*$', '', text[match.end():].strip())
        if token.startswith('#'):
            break
        tokens.append(token)
    return tokens, ''


class Reader:
    def __init__(self, path: str, name: str) -> None:
        self.file = File(path)
        self.name = name
        self.current: Union[Object, Union_, Enum, None] = None
        self.where = Where(path, 0)
        self.stack: List[Tuple[int, List[Field]]] = []       # indent of the lines, where they go

    def fail(self, text: str) -> SchemaError:
        return SchemaError(self.where, text)

    def read(self, text: str) -> File:
        for number, line in enumerate(text.splitlines(), 1):
            self.where = Where(self.file.path, number)
            if '\t' in line:
                raise self.fail('a tab: indent with spaces')
            tokens, doc = split_line(line)
            indent = len(line) - len(line.lstrip())
            if not tokens and not doc:
                continue
            if indent == 0:
                if tokens:
                    self.head(tokens, doc)
            elif self.current is None:
                raise self.fail('an indented line that belongs to nothing: start with object, union or enum')
            elif not tokens:
                self.current.doc = (self.current.doc + ' ' + doc).strip()
            else:
                self.body(indent, tokens, doc)
        if not self.file.name:
            raise SchemaError(Where(self.file.path, 1), f'no head: the first line should be `model {self.name}`')
        return self.file

    def head(self, tokens: List[str], doc: str) -> None:
        word, rest = tokens[0], tokens[1:]
        self.current = None
        if word == 'model' and len(rest) == 1:
            if rest[0] != self.name:
                raise self.fail(f'model {rest[0]} in {self.name}.model: the names must be equal')
            self.file.name = rest[0]
        elif word == 'error' and len(rest) == 1:
            self.file.error, self.file.error_where = rest[0], self.where
        elif word == 'document' and len(rest) == 1:
            self.file.document, self.file.document_where = rest[0], self.where
        elif word == 'use' and rest:
            self.file.uses += [(self.where, name) for name in rest]
        elif word == 'namespace' and len(rest) == 2:
            self.file.namespaces[rest[0]] = rest[1]
        elif word in ('enum', 'object', 'union') and rest:
            self.define(word, rest, doc)
        else:
            raise self.fail(f'`{" ".join(tokens)}`: expected model NAME, error DOMAIN, document OBJECT, use NAME, namespace PREFIX URI, '
                            'enum NAME, object NAME <element> or union NAME on ENUM')

    def define(self, word: str, rest: List[str], doc: str) -> None:
        name = rest[0].rstrip(':')
        if not NAME.match(name):
            raise self.fail(f'{word} {name}: a type is named like DiskTarget')
        if word == 'enum':
            enum = Enum(self.where, name, doc=doc)
            for value in rest[1:]:
                enum.values.append(EnumValue(self.where, c_word(unquote(value)), unquote(value)))
            self.current = enum
        elif word == 'object':
            element = ''
            if len(rest) > 1:
                match = ELEMENT.match(rest[1])
                if not match or len(rest) > 2:
                    raise self.fail(f'object {name} {" ".join(rest[1:])}: expected object {name} <element>')
                element = match.group(1)
            self.current = Object(self.where, name, element, doc=doc, file=self.file)
            self.stack = [(0, self.current.fields)]
        else:
            self.current = self.define_union(name, rest[1:], doc)
        self.file.types.append(self.current)

    def define_union(self, name: str, rest: List[str], doc: str) -> Union_:
        union = Union_(self.where, name, doc=doc, file=self.file)
        if rest == ['by', 'element']:
            return union
        if len(rest) in (2, 4) and rest[0] == 'on':
            union.enum_name = rest[1]
            if len(rest) == 2:
                return union
            match = ATTRIBUTE.match(rest[3])
            if rest[2] == 'tag' and match:
                union.tag_attr = match.group(1)
                return union
        raise self.fail(f'union {name} {" ".join(rest)}: expected `on ENUM`, `on ENUM tag @attr` or `by element`')

    def body(self, indent: int, tokens: List[str], doc: str) -> None:
        if isinstance(self.current, Enum):
            self.enum_line(self.current, tokens, doc)
        elif isinstance(self.current, Union_):
            self.branch_line(self.current, tokens, doc)
        else:
            assert isinstance(self.current, Object)
            if tokens[0] in ('fill', 'check') and len(tokens) in (2, 3):
                if len(tokens) == 3 and (tokens[2] != 'late' or tokens[0] != 'fill'):
                    raise self.fail(f'{" ".join(tokens)}: expected `fill FUNCTION [late]` or `check FUNCTION`')
                stage = 'late' if len(tokens) == 3 else tokens[0]
                self.current.rules.append(Rule(self.where, stage, tokens[1]))
                return
            self.field_line(indent, tokens, doc)

    def enum_line(self, enum: Enum, tokens: List[str], doc: str) -> None:
        if len(tokens) == 2 and tokens[1].startswith('"') or len(tokens) == 4 and tokens[2] == 'since':
            since = tokens[3] if len(tokens) == 4 else ''
            enum.values.append(EnumValue(self.where, c_word(tokens[0]), unquote(tokens[1]), doc, since))
        elif len(tokens) == 3 and tokens[1] == 'since':
            enum.values.append(EnumValue(self.where, c_word(unquote(tokens[0])), unquote(tokens[0]), doc, tokens[2]))
        else:
            for token in tokens:
                word = unquote(token)
                enum.values.append(EnumValue(self.where, c_word(word), word, doc))

    def branch_line(self, union: Union_, tokens: List[str], doc: str) -> None:
        names = tokens[0]
        if union.by_element:
            if not re.match(rf'^<{XML_NAME}/?>$', names):
                raise self.fail(f'{names}: a branch of a union by element is written <name> Type, or <name/>')
            names = names.strip('<>/')
        branch = Branch(self.where, names.split('|'), tokens[1] if len(tokens) > 1 else '-', doc=doc)
        branch.member = snake(branch.names[0])
        if len(tokens) == 4 and tokens[2] == 'as':
            branch.member = tokens[3]
        elif len(tokens) > 2:
            raise self.fail(f'{" ".join(tokens)}: expected `name Type`, `name|name Type as member`')
        union.branches.append(branch)

    def field_line(self, indent: int, tokens: List[str], doc: str) -> None:
        while indent <= self.stack[-1][0] and len(self.stack) > 1:
            self.stack.pop()
        where_to = self.stack[-1][1]
        line = Field(self.where, '', doc=doc)
        rest = tokens[1:]
        has_type = bool(rest) and rest[0] not in WORDS and rest[0] != '=' and not tokens[0].endswith('/>')
        if has_type:
            match = TYPE.match(rest[0])
            if not match:
                raise self.fail(f'{rest[0]}: expected a type such as string, uint?, hex(4), DiskBus or Disk*')
            line.type, line.param = match.group(1), match.group(2) or ''
            line.optional, line.many = match.group(3) == '?', match.group(3) == '*'
            rest = rest[1:]
        self.field_words(line, rest)
        self.place(line, tokens[0], has_type, where_to, indent)

    def field_words(self, line: Field, rest: List[str]) -> None:
        if rest and rest[0] == '=':
            if len(rest) < 2:
                raise self.fail('`=` without a default value')
            line.default = unquote(rest[1])
            rest = rest[2:]
        while rest:
            word = rest[0]
            if word not in WORDS:
                raise self.fail(f'`{word}`: no such word; there are {" ".join(sorted(WORDS))}')
            count = WORDS[word]
            if len(rest) <= count:
                raise self.fail(f'`{word}` needs {count} more')
            line.words[word] = [unquote(token) for token in rest[1:1 + count]]
            rest = rest[1 + count:]

    def place(self, line: Field, text: str, has_type: bool, where_to: List[Field], indent: int) -> None:
        attribute, path = ATTRIBUTE.match(text), PATH.match(text)
        if attribute:
            line.place, line.name = 'attr', attribute.group(1)
            line.member = snake(line.name)
        elif text in ('.', '<*>', 'text'):
            line.place = {'.': 'inline', '<*>': 'any', 'text': 'text'}[text]
            line.member = 'text' if text == 'text' else snake(line.type)
        elif text.startswith('$') and re.match(r'^\$[a-z][a-z0-9_]*$', text):
            line.place, line.member = 'none', text[1:]
        elif path:
            self.path_place(line, path, has_type, where_to, indent)
            return
        else:
            raise self.fail(f'{text}: expected @attr, <child>, <child@attr>, <a/b>, <flag/>, text, ., <*> or $member')
        if not has_type:
            raise self.fail(f'{text}: a type is missing')
        line.member = line.words.get('as', [line.member])[0]
        where_to.append(line)

    def path_place(self, line: Field, path: 're.Match[str]', has_type: bool, where_to: List[Field], indent: int) -> None:
        steps, attr = path.group(1).split('/'), path.group(2)
        flag = bool(path.group(3))
        line.member = line.words.get('as', [snake('_'.join(steps + ([attr] if attr else [])))])[0]
        if flag:
            if attr or has_type:
                raise self.fail('a flag element is written <name/> and has no type')
            line.type = 'flag'
        elif not has_type:
            if attr or len(steps) > 1:
                raise self.fail('a type is missing (only a single <element> may open a block)')
            block = Field(self.where, 'block', steps[0], words=line.words, doc=line.doc, explicit=True)
            if where_to and where_to[-1].place == 'block' and where_to[-1].name == steps[0]:
                raise self.fail(f'<{steps[0]}>: put the lines above into the block')
            where_to.append(block)
            self.stack.append((indent, block.fields))
            return
        inside = len(steps) - 1 if not attr or line.many else len(steps)
        for step in steps[:inside]:
            where_to = self.enter(step, where_to)
        if attr and not line.many:
            line.place, line.name = 'attr', attr
        else:
            line.place, line.name, line.item_attr = 'child', steps[-1], attr or ''
            last = where_to[-1] if where_to else None
            if last and last.place == 'block' and last.name == line.name and not line.many and not last.explicit:
                line.place, where_to = 'text', last.fields
        where_to.append(line)

    def enter(self, step: str, where_to: List[Field]) -> List[Field]:
        """The fields of the block for <step>, which the line before may have opened already."""
        last = where_to[-1] if where_to else None
        if last and last.place == 'block' and last.name == step:
            return last.fields
        block = Field(self.where, 'block', step)
        if last and last.place == 'child' and last.name == step and not last.many:
            where_to.pop()          # <a> string, <a@b> ...: the text and the attributes of one element
            last.place = 'text'
            block.fields.append(last)
        where_to.append(block)
        return block.fields


def error_names(path: Path) -> Set[str]:
    """The VIR_ERR_ and VIR_FROM_ names of the API schema; empty when it is not there."""
    return set(re.findall(r'^\s+(VIR_(?:ERR|FROM)_\w+)', path.read_text(encoding='utf-8'), re.M)) if path.exists() else set()


def read_file(path: Path, shown: str) -> File:
    return Reader(shown, path.name.split('.')[0]).read(path.read_text(encoding='utf-8'))
