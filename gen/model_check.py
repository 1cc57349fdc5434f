# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resolves the names in a model schema (model_read.py) and refuses what the C side could not express: unknown types, places that
collide, tags without a union, defaults that are no value. Afterwards every Field has its target and all structs an order.
"""
from __future__ import annotations

import re
from typing import Dict, Iterator, List, Set, Union

from model_ast import (NUMBERS, SCALARS, SIZE_UNITS, TRUTH, Branch, Enum, EnumValue, Field, File, Object, SchemaError,
                       Union_, Where, c_word, snake, upper)

Type = Union[Object, Union_, Enum]
GENERATED = ('new', 'free', 'copy', 'equal', 'compare', 'fill', 'check', 'parse', 'format')


def walk(fields: List[Field]) -> Iterator[Field]:
    """All fields of one struct, blocks themselves included."""
    for line in fields:
        yield line
        if line.place == 'block':
            yield from walk(line.fields)


def members(fields: List[Field]) -> Iterator[Field]:
    """The fields that are members of the struct."""
    return (line for line in walk(fields) if line.place != 'block' and line.tag_of is None and not line.has('again'))


class Checker:
    def __init__(self, file: File, errors: Set[str]) -> None:
        self.file = file
        self.errors = errors        # names of error codes and domains; empty: not known
        self.types: Dict[str, Type] = {}
        self.c_names: Dict[str, str] = {}

    def check(self) -> None:
        if self.file.error_where:
            self.check_error(self.file.error_where, 'VIR_FROM_' + self.file.error)
        for used in self.all_used(self.file, set()):
            for known in used.types:
                self.types[known.name] = known
        made: List[Enum] = []
        for new in self.file.types:
            self.add_type(new)
            if isinstance(new, Union_) and new.by_element:
                new.enum = Enum(new.where, new.name + 'Kind', made=True, doc=f'The branches of {new.name}.')
                for branch in new.branches:
                    new.enum.values += [EnumValue(branch.where, c_word(name), name) for name in branch.names]
                made.append(new.enum)
        for enum in made:
            self.add_type(enum)
        self.file.types += made
        for new in self.file.types:
            if isinstance(new, Enum):
                self.check_enum(new)
            elif isinstance(new, Union_):
                self.check_union(new)
        for new in self.file.objects():
            self.resolve(new.fields)
            self.check_object(new)
        if self.file.document_where and not any(o.name == self.file.document and o.element for o in self.file.objects()):
            raise SchemaError(self.file.document_where, f'document {self.file.document}: no object of this file with an element')

    def all_used(self, file: File, seen: Set[str]) -> Iterator[File]:
        for where, name in file.uses:
            if name not in file.used:
                raise SchemaError(where, f'use {name}: there is no {name}.model beside this file')
            if name not in seen:
                seen.add(name)
                yield file.used[name]
                yield from self.all_used(file.used[name], seen)

    def add_type(self, new: Type) -> None:
        if new.name in self.types:
            raise SchemaError(new.where, f'{new.name} is already defined at {self.types[new.name].where}')
        c_name = snake(new.name)
        if c_name in self.c_names or new.name == 'Bitmap' or new.name == 'Tristate':
            raise SchemaError(new.where, f'{new.name}: its C name {c_name} is taken; choose another')
        self.c_names[c_name] = new.name
        self.types[new.name] = new

    def check_enum(self, enum: Enum) -> None:
        seen: Dict[str, EnumValue] = {}
        if not enum.values:
            raise SchemaError(enum.where, f'enum {enum.name} has no values')
        for value in enum.values:
            for key in ('c ' + value.c_name, 'w ' + value.word):
                if key in seen:
                    raise SchemaError(value.where, f'{value.word} is already in {enum.name}, at {seen[key].where}')
                seen[key] = value
            if value.c_name in ('UNSET', 'LAST'):
                raise SchemaError(value.where, f'{upper(enum.name)}_{value.c_name} is made for every enum: give this value a C '
                                               f'name of its own, such as `is_{value.word} "{value.word}"`')

    def check_union(self, union: Union_) -> None:
        if not union.by_element:
            enum = self.types.get(union.enum_name)
            if not isinstance(enum, Enum):
                raise SchemaError(union.where, f'union {union.name} on {union.enum_name}: no such enum')
            union.enum = enum
        assert union.enum
        taken: Dict[str, Branch] = {}
        used: Dict[str, Branch] = {}
        for branch in union.branches:
            for name in branch.names:
                if not union.enum.value(name):
                    raise SchemaError(branch.where, f'{name} is no value of {union.enum.name}')
                if name in used:
                    raise SchemaError(branch.where, f'{name} has a branch already, at {used[name].where}')
                used[name] = branch
            if branch.type == '-':
                continue
            target = self.types.get(branch.type)
            if not isinstance(target, Object):
                raise SchemaError(branch.where, f'{branch.type}: the content of a branch is an object; there is none of this name')
            if branch.member in taken or branch.member == 'kind':
                raise SchemaError(branch.where, f'{branch.member}: member name taken; use `as NAME`')
            taken[branch.member] = branch
            branch.target = target

    def resolve(self, fields: List[Field]) -> None:
        for line in fields:
            if line.place == 'block':
                self.resolve(line.fields)
                if not line.explicit and any(child.has('always') for child in line.fields):
                    line.words['always'] = []
            elif line.type not in SCALARS and line.type != 'flag':
                target = self.types.get(line.type)
                if target is None:
                    raise SchemaError(line.where, f'{line.type}: no such type; scalar types are {" ".join(SCALARS)}')
                line.target = target
                if line.place == 'text' and not isinstance(target, Enum):
                    if line.optional or line.many:
                        raise SchemaError(line.where, f'<{line.member}> has attributes of its own on the lines around: '
                                                      f'write {line.type} without ? or *')
                    line.place = 'inline'

    def check_object(self, obj: Object) -> None:
        self.check_tags(obj)
        taken: Dict[str, Field] = {}
        for line in members(obj.fields):
            for name in self.member_names(line):
                if name in taken:
                    raise SchemaError(line.where, f'member {name} is already made at {taken[name].where}: use `as NAME`')
                taken[name] = line
        self.check_places(obj.fields)
        for rule in obj.rules:
            if rule.function.rsplit('_', 1)[0] in self.c_names and rule.function.rsplit('_', 1)[-1] in GENERATED:
                raise SchemaError(rule.where, f'{rule.function}() is generated: give the rule a name that says what it does')
        for line in walk(obj.fields):
            if line.place != 'block':
                self.check_field(line)
            if line.has('again'):
                self.check_again(line, taken)
        self.check_recursion(obj, obj, [])

    def member_names(self, line: Field) -> List[str]:
        if not re.match(r'^[a-z][a-z0-9_]*$', line.member):
            raise SchemaError(line.where, f'{line.member}: not a C member name; use `as NAME`')
        names = [line.member]
        if line.many:
            names.append('n_' + line.member)
        elif line.optional and line.type in SCALARS and SCALARS[line.type][2]:
            names.append('has_' + line.member)
        return names

    def check_tags(self, obj: Object) -> None:
        tags: Dict[str, Field] = {}
        for line in walk(obj.fields):
            if line.has('tag'):
                tags[line.member] = line
            if line.has('by'):
                name = line.words['by'][0]
                if name not in tags:
                    raise SchemaError(line.where, f'by {name}: no line above is named {name} and says `tag`')
                if not isinstance(line.target, Union_) or not line.target.enum_name or line.target.tag_attr:
                    raise SchemaError(line.where, f'by {name}: {line.type} is no union on an enum')
                if tags[name].target is not line.target.enum:
                    raise SchemaError(line.where, f'by {name}: {line.type} is on {line.target.enum_name}, the tag is '
                                                  f'{tags[name].type}')
                line.by = tags[name]
                if tags[name].tag_of is None:
                    tags[name].tag_of = line
            elif isinstance(line.target, Union_) and line.target.enum_name and not line.target.tag_attr and line.place != 'none':
                raise SchemaError(line.where, f'{line.type}: which line says the branch? Add `by NAME` and `tag` there')
        for tag in tags.values():
            if tag.tag_of is None:
                raise SchemaError(tag.where, f'tag: no union below says `by {tag.member}`')

    def check_places(self, fields: List[Field]) -> None:
        """No two lines of one element may read the same place."""
        seen: Dict[str, Field] = {}
        for line in fields:
            key = {'attr': '@' + line.name, 'child': line.name, 'block': line.name, 'text': 'text'}.get(line.place)
            if line.has('again'):
                continue
            if key and key in seen:
                what = f'<{key}>' if line.place in ('child', 'block') else key
                raise SchemaError(line.where, f'{what} is already read at {seen[key].where}: lines of one element stand together')
            if key:
                seen[key] = line
            if line.place == 'block':
                self.check_places(line.fields)
            prefix = line.name.split(':')[0] if ':' in line.name else ''
            if prefix and prefix not in self.file.namespaces and prefix not in ('xml', 'xmlns'):
                raise SchemaError(line.where, f'{line.name}: say `namespace {prefix} URI` at the head of the file')

    def check_field(self, line: Field) -> None:
        kind = line.kind
        if line.place in ('attr', 'text') and (kind in ('object', 'union', 'flag', 'raw') or line.many):
            raise SchemaError(line.where, f'{line.type} cannot stand in {"an attribute" if line.place == "attr" else "a text"}')
        if line.place == 'inline' and (kind not in ('object', 'union') or line.optional or line.many):
            raise SchemaError(line.where, '`.` lays an object or a union into this element, without ? or *')
        by_element = isinstance(line.target, Union_) and line.target.by_element
        if (line.place == 'any') != by_element and line.place != 'none':
            raise SchemaError(line.where, f'{line.type}: a `by element` union stands at the place <*>, and only such')
        if line.many and kind in ('uuid', 'mac', 'bitmap', 'flag', 'yesno', 'onoff', 'enabledisable') and line.place != 'none':
            raise SchemaError(line.where, f'a list of {line.type} is not supported')
        if line.item_attr and kind in ('object', 'union'):
            raise SchemaError(line.where, f'{line.type} cannot stand in an attribute')
        if kind == 'union' and line.optional:
            raise SchemaError(line.where, f'{line.type}?: a union is in place; an absent one has the kind UNSET')
        if line.has('required') and kind not in ('object', 'union'):
            raise SchemaError(line.where, 'required: a scalar is required when it has neither ? nor a default')
        if line.has('custom') and (kind in ('object', 'union', 'flag') or line.many):
            raise SchemaError(line.where, 'custom: for scalars and enums only')
        if line.has('nonempty') and kind != 'string':
            raise SchemaError(line.where, 'nonempty: for strings only')
        if line.has('bare') and line.place != 'attr':
            raise SchemaError(line.where, 'bare: only for an attribute of a child')
        if line.param and kind not in ('hex', 'hex64', 'size'):
            raise SchemaError(line.where, f'{line.type}({line.param}): only hex(DIGITS) and size(UNIT) take something')
        if kind == 'size' and line.param not in SIZE_UNITS:
            raise SchemaError(line.where, f'size({line.param}): one of {" ".join(SIZE_UNITS)}')
        if kind in ('hex', 'hex64') and line.param and not line.param.isdigit():
            raise SchemaError(line.where, f'hex({line.param}): expected the number of digits')
        for word in ('missing', 'bad'):
            if line.has(word):
                self.check_error(line.where, 'VIR_ERR_' + line.words[word][0])
        self.check_default(line)
        self.check_range(line)

    def check_again(self, line: Field, taken: Dict[str, Field]) -> None:
        first = taken.get(line.member)
        if not first or (first.type, first.many, first.optional) != (line.type, line.many, line.optional):
            raise SchemaError(line.where, f'again: no other line of this object makes a member {line.member} of this type')
        if line.place not in ('child', 'attr') or line.has('tag') or line.by:
            raise SchemaError(line.where, 'again: only for an attribute or a child')
        if not line.has('when'):
            raise SchemaError(line.where, 'again: say `when FUNCTION`, on this line and on the other')

    def check_error(self, where: Where, name: str) -> None:
        if self.errors and name not in self.errors:
            raise SchemaError(where, f'{name}: there is no such name in schema/api/error.api')

    def check_default(self, line: Field) -> None:
        for value in ([line.default] if line.default is not None else []) + line.words.get('bare', []):
            if isinstance(line.target, Enum):
                if not line.target.value(value):
                    raise SchemaError(line.where, f'{value} is no value of {line.target.name}')
            elif line.type in TRUTH:
                if value not in TRUTH[line.type]:
                    raise SchemaError(line.where, f'{value}: expected {" or ".join(TRUTH[line.type])}')
            elif line.type in NUMBERS:
                if not re.match(r'^-?(0x[0-9a-fA-F]+|\d+(\.\d+)?)$', value):
                    raise SchemaError(line.where, f'{value} is no number')
            elif line.type != 'string':
                raise SchemaError(line.where, f'{line.type} cannot have a default')
        if line.default is not None and (line.optional or line.many):
            raise SchemaError(line.where, f'a default and `{"?" if line.optional else "*"}` exclude each other')
        if line.has('hidden') and line.default is None and line.type not in TRUTH:
            raise SchemaError(line.where, 'hidden: there is no default to hide')

    def check_range(self, line: Field) -> None:
        if line.has('range'):
            match = re.match(r'^(-?\w+)?\.\.(-?\w+)?$', line.words['range'][0])
            if line.type not in NUMBERS or line.type == 'double' or not match or not (match.group(1) or match.group(2)):
                raise SchemaError(line.where, 'range: A..B, A.. or ..B on a whole number')

    def check_recursion(self, obj: Object, start: Object, path: List[str]) -> None:
        for line in members(obj.fields):
            if isinstance(line.target, Object) and not line.optional and not line.many:
                if line.target is start or line.target.name in path:
                    raise SchemaError(line.where, f'{line.target.name} would contain itself: use ? or *')
                self.check_recursion(line.target, start, path + [line.target.name])


def in_order(file: File) -> List[Union[Object, Union_]]:
    """Objects and unions of this file so that what is held in place comes first."""
    done: List[Union[Object, Union_]] = []
    own = {id(t) for t in file.types}

    def add(new: Union[Object, Union_]) -> None:
        if any(new is t for t in done) or id(new) not in own:
            return
        if isinstance(new, Object):
            for line in members(new.fields):
                if isinstance(line.target, (Object, Union_)) and not line.optional and not line.many:
                    add(line.target)
        done.append(new)

    for new in file.types:
        if not isinstance(new, Enum):
            add(new)
    return done


def deep(new: Union[Object, Union_], what: str, seen: Set[str]) -> bool:
    """Has @new a default (in what is held in place), a rule (anywhere below), or a text (in what is laid into its element)?"""
    if new.name in seen:
        return False
    seen.add(new.name)
    if isinstance(new, Union_):
        return what != 'defaults' and any(b.target and deep(b.target, what, seen) for b in new.branches)
    if what == 'text':
        return any(has_text(line, seen) for line in new.fields)
    if what == 'rules' and new.rules:
        return True
    for line in walk(new.fields):
        if what == 'defaults' and line.default is not None:
            return True
        in_place = not line.optional and not line.many
        if isinstance(line.target, (Object, Union_)) and (what == 'rules' or in_place) and deep(line.target, what, seen):
            return True
    return False


def has_text(line: Field, seen: Set[str]) -> bool:
    """Does a line of an element make text content of it?"""
    if line.place == 'inline':
        assert isinstance(line.target, (Object, Union_))
        return deep(line.target, 'text', seen)
    return line.place == 'text'
