# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes NAME.rng of a model schema: the RelaxNG form of what the engine reads. Each object becomes two patterns, its attributes
and its content, so that pieces laid into an element (`.`) can be put together. The grammar is self-contained.
"""
from __future__ import annotations

from typing import Dict, List, Optional, Union
from xml.sax.saxutils import quoteattr

from model_ast import NUMBERS, TRUTH, Enum, Field, File, Object, Union_

Type = Union[Object, Union_, Enum]
SIGNED = r'\s*[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)\s*'
NUMBER = r'\s*\+?(0[xX][0-9a-fA-F]+|[0-9]+)\s*'
PATTERNS = {
    'int': SIGNED, 'uint': NUMBER, 'llong': SIGNED, 'ullong': NUMBER, 'hex': r'\s*(0[xX])?[0-9a-fA-F]+\s*', 'octal': '[0-7]+',
    'hex64': r'\s*(0[xX])?[0-9a-fA-F]+\s*',
    'uuid': '[0-9a-fA-F -]{32,64}', 'mac': '([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}', 'bitmap': r'[0-9^,\s-]+',
    'kib': NUMBER, 'mib': NUMBER, 'bytes': NUMBER, 'size': NUMBER, 'double': r'[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?',
}
SIZES = ('kib', 'mib', 'bytes', 'size')
UNIT = '<optional><attribute name="unit"><text/></attribute></optional>'


def group(kind: str, parts: List[str]) -> str:
    """An element around @parts, or the part itself when there is only one."""
    if not parts:
        return '<empty/>'
    return parts[0] if len(parts) == 1 else f'<{kind}>{"".join(parts)}</{kind}>'


class Grammar:
    def __init__(self, file: File) -> None:
        self.file = file
        self.spaces: Dict[str, str] = {}
        self.types: Dict[str, Type] = {}
        self.collect(file)

    def collect(self, file: File) -> None:
        for used in file.used.values():
            self.collect(used)
        self.spaces.update(file.namespaces)
        for new in file.types:
            self.types[new.name] = new

    def scalar(self, line: Field) -> str:
        if line.has('shape'):
            return self.data(line.words['shape'][0])
        if line.has('custom') or line.has('bad'):
            return '<text/>'
        if isinstance(line.target, Enum):
            return f'<ref name="{line.target.name}"/>'
        if line.type in TRUTH:
            return group('choice', [f'<value>{word}</value>' for word in TRUTH[line.type]])
        if line.type in PATTERNS:
            return self.data(self.pattern(line))
        return '<text/>'

    def data(self, pattern: str) -> str:
        return f'<data type="string"><param name="pattern">{quoteattr(pattern)[1:-1]}</param></data>'

    def pattern(self, line: Field) -> str:
        if line.type in ('hex', 'hex64') and line.param:
            return rf'\s*((0[xX])?0*[0-9a-fA-F]{{1,{line.param}}}|[0-9]+)\s*'
        if line.type in NUMBERS and line.has('range') and not line.words['range'][0].startswith(('-', '..')):
            return NUMBER
        return PATTERNS[line.type]

    def element(self, name: str, inside: str) -> str:
        return f'<element name={quoteattr(name)}>{inside}</element>'

    def optional(self, line: Field, text: str) -> str:
        if line.many:
            return f'<zeroOrMore>{text}</zeroOrMore>'
        is_scalar = line.target is None or isinstance(line.target, Enum)
        required = line.has('missing') or is_scalar and not line.optional and line.default is None and line.type != 'flag' and not line.has('bare')
        if (required or line.has('required') or line.has('needed')) and not line.has('live') and not line.has('status') and not line.has('hidden'):
            return text
        return f'<optional>{text}</optional>'

    def attributes(self, fields: List[Field]) -> str:
        parts: List[str] = []
        for line in fields:
            if line.place == 'attr' and not line.has('again'):
                parts.append(self.optional(line, f'<attribute name={quoteattr(line.name)}>{self.scalar(line)}</attribute>'))
                if line.type in SIZES:
                    parts.append(UNIT)
            elif line.place == 'inline':
                parts.append(self.refs(line.target, 'attributes'))
            elif line.place == 'text' and line.type in SIZES:
                parts.append(UNIT)
        return group('group', parts)

    def refs(self, target: Optional[Type], what: str) -> str:
        assert isinstance(target, (Object, Union_))
        return f'<ref name="{target.name}-{what}"/>'

    def content(self, fields: List[Field]) -> str:
        parts = [text for text in (self.content_of(line) for line in fields) if text]
        return group('interleave', parts)

    def content_of(self, line: Field) -> str:
        if line.place in ('attr', 'none') or line.has('again'):
            return ''
        if line.place == 'block':
            inside = self.attributes(line.fields) + self.content(line.fields)
            text = self.element(line.name, inside)
            return text if line.has('required') else f'<optional>{text}</optional>'
        if line.place == 'text':
            return self.optional(line, self.scalar(line))
        if line.place in ('inline', 'any'):
            text = self.refs(line.target, 'content')
            return f'<zeroOrMore>{text}</zeroOrMore>' if line.many else text
        return self.optional(line, self.child(line))

    def child(self, line: Field) -> str:
        if isinstance(line.target, (Object, Union_)):
            return self.element(line.name, self.refs(line.target, 'attributes') + self.refs(line.target, 'content'))
        if line.type == 'flag':
            return self.element(line.name, '<empty/>')
        if line.type == 'raw':
            return self.element(line.name, '<ref name="anything"/>')
        if line.item_attr:
            return self.element(line.name, f'<attribute name={quoteattr(line.item_attr)}>{self.scalar(line)}</attribute>')
        return self.element(line.name, (UNIT if line.type in SIZES else '') + self.scalar(line))

    def object(self, obj: Object) -> List[str]:
        return [f'<define name="{obj.name}-attributes">{self.attributes(obj.fields)}</define>',
                f'<define name="{obj.name}-content">{self.content(obj.fields)}</define>']

    def union(self, union: Union_) -> List[str]:
        assert union.enum
        attributes, content = [], []
        if not union.by_element:
            attributes.append('<empty/>')
            content.append('<empty/>')
        for branch in union.branches:
            if union.by_element:
                inside = '<empty/>'
                if branch.target:
                    inside = self.refs(branch.target, 'attributes') + self.refs(branch.target, 'content')
                content += [self.element(name, inside) for name in branch.names]
            elif branch.target:
                attributes.append(self.refs(branch.target, 'attributes'))
                content.append(self.refs(branch.target, 'content'))
        attribute = group('choice', attributes)
        if union.tag_attr:
            tag = f'<attribute name="{union.tag_attr}"><ref name="{union.enum.name}"/></attribute>'
            attribute = f'<optional>{tag}</optional>{attribute}'
        return [f'<define name="{union.name}-attributes">{attribute}</define>',
                f'<define name="{union.name}-content">{group("choice", content)}</define>']

    def enum(self, enum: Enum) -> List[str]:
        values = [f'<value>{quoteattr(v.word)[1:-1]}</value>' for v in enum.values]
        return [f'<define name="{enum.name}">{group("choice", values)}</define>']

    def start(self) -> str:
        objects = self.file.objects()
        roots = [obj for obj in objects if obj.element and self.file.document in ('', obj.name)]
        if not roots:
            return '<notAllowed/>'
        return group('choice', [self.element(r.element, self.refs(r, 'attributes') + self.refs(r, 'content')) for r in roots])

    def write(self) -> str:
        spaces = ''.join(f' xmlns:{prefix}={quoteattr(uri)}' for prefix, uri in self.spaces.items())
        out = ['<?xml version="1.0"?>', f'<!-- Generated from {self.file.path} by gen/model.py. -->',
               f'<grammar xmlns="http://relaxng.org/ns/structure/1.0"{spaces}',
               '         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">',
               f'<start>{self.start()}</start>',
               '<define name="anything"><zeroOrMore><choice><text/><attribute><anyName/></attribute>'
               '<element><anyName/><ref name="anything"/></element></choice></zeroOrMore></define>']
        for new in self.types.values():
            if isinstance(new, Enum):
                out += self.enum(new)
            elif isinstance(new, Union_):
                out += self.union(new)
            else:
                out += self.object(new)
        out.append('</grammar>')
        return '\n'.join(out) + '\n'


def grammar(file: File) -> str:
    return Grammar(file).write()
