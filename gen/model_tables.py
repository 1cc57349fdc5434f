# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes gen/model-NAME.c of a model schema: the constant tables that src/model/engine*.c interprets. One ModelType for each
struct and one for each wrapper element (block); every entry names the schema line it came from.
"""
from __future__ import annotations

from typing import List, Optional, Union

from model_ast import (SCALARS, SIZE_UNITS, TRUTH, Enum, Field, File, Object, Union_, constant, quote, snake)
from model_check import deep, has_text, in_order
from model_header import NOTE
from model_rng import grammar

PLACES = {'attr': 'ATTR', 'child': 'CHILD', 'text': 'TEXT', 'inline': 'INLINE', 'any': 'ANY', 'block': 'BLOCK', 'none': 'NOWHERE'}
FLAG_WORDS = {
    'abi': 'ABI', 'live': 'LIVE', 'secure': 'SECURE', 'status': 'STATUS', 'migratable': 'NOT_MIGRATABLE', 'input': 'INPUT',
    'hidden': 'HIDDEN', 'always': 'ALWAYS', 'open': 'OPEN', 'required': 'REQUIRED', 'nonempty': 'NONEMPTY', 'tag': 'TAG', 'again': 'AGAIN', 'bare': 'BARE',
}
SIZE_KIND = {'kib': 'KiB', 'mib': 'MiB', 'bytes': 'bytes'}


class Tables:
    def __init__(self, file: File) -> None:
        self.file = file
        self.out: List[str] = []
        self.count = 0

    # values ------------------------------------------------------------------------------------------------------------

    def value(self, line: Field, text: str) -> str:
        if isinstance(line.target, Enum):
            value = line.target.value(text)
            assert value
            return constant(line.target, value)
        if line.type in TRUTH:
            yes = text == TRUTH[line.type][0]
            return ('TRISTATE_YES' if yes else 'TRISTATE_NO') if line.optional else ('1' if yes else '0')
        if line.type == 'double':
            return f'(gint64) {round(float(text) * 1000)}'
        return str(int(text, 0 if text.lower().startswith(('0x', '-0x')) else 10))

    def kind(self, line: Field) -> str:
        kind = line.kind
        if kind == 'flag':
            return 'MODEL_FLAG'
        if kind in ('object', 'union', 'enum'):
            return 'MODEL_' + kind.upper()
        if kind in TRUTH and line.optional:
            return 'MODEL_TRISTATE'
        return SCALARS[kind][0]

    def detail(self, line: Field) -> str:
        if line.type in TRUTH:
            return str(list(TRUTH).index(line.type))
        if line.type in ('kib', 'mib', 'bytes', 'size'):
            return str(list(SIZE_UNITS).index(SIZE_KIND.get(line.type, line.param)))
        return line.param if line.type in ('hex', 'hex64') and line.param else '0'

    def is_required(self, line: Field) -> bool:
        if line.has('again'):
            return False
        if line.has('missing') and not line.many:
            return True
        if line.target is not None and not isinstance(line.target, Enum) or line.type == 'flag' or line.place == 'none':
            return line.has('required')
        if line.optional or line.many or line.default is not None:
            return False
        return not (line.type in TRUTH and line.has('hidden'))

    # fields ------------------------------------------------------------------------------------------------------------

    def extra(self, obj: Object, line: Field) -> Optional[str]:
        parts: List[str] = []
        if line.default is not None and line.type == 'string':
            parts.append(f'.text = {quote(line.default)}')
        if line.has('range'):
            low, high = line.words['range'][0].split('..')
            if low:
                parts.append(f'.has_min = true, .min = {int(low, 0)}')
            if high:
                parts.append(f'.has_max = true, .max = {int(high, 0)}')
        if line.has('bare'):
            parts.append(f'.bare = {self.value(line, line.words["bare"][0])}')
        for word in ('missing', 'bad'):
            if line.has(word):
                code, text = line.words[word]
                parts.append(f'.{word}_code = VIR_ERR_{code}, .{word}_text = {quote(text)}')
        parts += self.thunks(obj, line)
        if not parts:
            return None
        self.count += 1
        name = f'extra_{self.count}'
        self.out.append(f'static const ModelExtra {name} = {{ {", ".join(parts)} }};')
        return name

    def thunks(self, obj: Object, line: Field) -> List[str]:
        """The functions that a line names, behind ones of the table's own type."""
        parts: List[str] = []
        if line.has('when'):
            self.count += 1
            self.out.append(f'static bool when_{self.count}(const void *self, ModelFormatFlags flags) '
                            f'{{ return {line.words["when"][0]}(self, flags); }}')
            parts.append(f'.when = when_{self.count}')
        if line.has('custom'):
            self.count += 1
            parse, fmt = line.words['custom']
            self.out.append(f'static bool parse_{self.count}(const char *text, void *member, GError **err) '
                            f'{{ return {parse}(text, member, err); }}')
            self.out.append(f'static char *format_{self.count}(const void *member) {{ return {fmt}(member); }}')
            parts.append(f'.parse = parse_{self.count}, .format = format_{self.count}')
        return parts

    def field(self, obj: Object, line: Field) -> str:
        struct = obj.name
        words = [FLAG_WORDS[w] for w in line.words if w in FLAG_WORDS]
        local = line.name.split(':')[-1]
        parts = [f'.place = MODEL_AT_{PLACES[line.place]}', f'.name = {quote(local)}']
        if ':' in line.name:
            prefix = line.name.split(':')[0]
            parts.append(f'.prefix = {quote(prefix)}, .ns = {quote(self.file.namespaces[prefix])}')
        if line.place == 'block':
            parts.append(f'.kind = MODEL_OBJECT, .of = &{self.block(obj, line)}')
        else:
            parts += self.member(struct, line, words)
        extra = self.extra(obj, line)
        if extra:
            parts.append(f'.extra = &{extra}')
        if words:
            parts.append('.words = ' + ' | '.join('MODEL_' + w for w in words))
        return f'    {{ {", ".join(parts)} }}, /* :{line.where.line} */'

    def member(self, struct: str, line: Field, words: List[str]) -> List[str]:
        parts = [f'.member = {quote(line.member)}', f'.kind = {self.kind(line)}']
        at = line.member
        if line.tag_of is not None:
            at = line.tag_of.member + '.kind'
        parts.append(f'.offset = offsetof({struct}, {at})')
        if line.many:
            words.append('LIST')
            parts.append(f'.companion = offsetof({struct}, n_{line.member})')
        elif line.optional:
            words.append('OPTIONAL')
            if line.type in SCALARS and SCALARS[line.type][2]:
                parts.append(f'.companion = offsetof({struct}, has_{line.member})')
        if self.is_required(line) and 'REQUIRED' not in words:
            words.append('REQUIRED')
        if line.target is not None:
            parts.append(f'.of = &{snake(line.target.name)}_model')
        if line.item_attr:
            parts.append(f'.item_attr = {quote(line.item_attr)}')
        if line.by is not None:
            assert line.by.tag_of
            parts.append(f'.has_tag = true, .tag_offset = offsetof({struct}, {line.by.tag_of.member}.kind)')
        detail = self.detail(line)
        if detail != '0':
            parts.append(f'.detail = {detail}')
        if line.default is not None:
            words.append('DEFAULT')
            if line.type != 'string':
                parts.append(f'.value = {self.value(line, line.default)}')
        return parts

    # types -------------------------------------------------------------------------------------------------------------

    def block(self, obj: Object, line: Field) -> str:
        self.count += 1
        name = f'block_{self.count}_{snake(line.name)}'
        self.fields(f'{name}_fields', obj, line.fields)
        text = ', .has_text = true' if any(has_text(child, set()) for child in line.fields) else ''
        self.out.append(f'static const ModelType {name} = {{ .name = {quote(obj.name)}, .element = {quote(line.name.split(":")[-1])}, '
                        f'.file = &file, .kind = MODEL_TYPE_BLOCK, .fields = {name}_fields, '
                        f'.n_fields = G_N_ELEMENTS({name}_fields){text} }};')
        return name

    def fields(self, name: str, obj: Object, lines: List[Field]) -> None:
        entries = [self.field(obj, line) for line in lines]
        self.out.append(f'static const ModelField {name}[] = {{')
        self.out += entries or ['    { .place = MODEL_AT_NOWHERE, .kind = MODEL_FLAG, .member = "is_empty" },']
        self.out.append('};')

    def object(self, obj: Object) -> None:
        c = snake(obj.name)
        self.out += ['', f'/* {obj.where} */']
        self.fields(f'{c}_fields', obj, obj.fields)
        rules = ''
        if obj.rules:
            entries = []
            for rule in obj.rules:
                self.count += 1
                self.out.append(f'static bool rule_{self.count}(void *self, const ModelRules *rules, GError **err) '
                                f'{{ return {rule.function}(self, rules, err); }}')
                entries.append(f'{{ MODEL_RULE_{rule.stage.upper()}, rule_{self.count} }}')
            self.out.append(f'static const ModelRule {c}_rules[] = {{ {", ".join(entries)} }};')
            rules = f', .rules = {c}_rules, .n_rules = {len(obj.rules)}'
        element = quote(obj.element.split(':')[-1]) if obj.element else 'NULL'
        self.out.append(
            f'const ModelType {c}_model = {{ .name = {quote(obj.name)}, .element = {element}, .file = &file, '
            f'.kind = MODEL_TYPE_OBJECT, .fields = {c}_fields, .n_fields = G_N_ELEMENTS({c}_fields), '
            f'.size = sizeof({obj.name}){rules}{self.deep_words(obj)} }};')

    def union(self, union: Union_) -> None:
        assert union.enum
        c = snake(union.name)
        self.out += ['', f'/* {union.where} */', f'static const ModelField {c}_fields[] = {{']
        count = 0
        for branch in union.branches:
            for index, name in enumerate(branch.names):
                value = union.enum.value(name)
                assert value
                parts = [f'.place = MODEL_AT_{"CHILD" if union.by_element else "NOWHERE"}', f'.name = {quote(name)}',
                         f'.member = {quote(branch.member)}', f'.value = {constant(union.enum, value)}']
                if branch.target:
                    words = 'MODEL_OPTIONAL' + (' | MODEL_REPEAT' if index else '')
                    parts.append(f'.kind = MODEL_OBJECT, .of = &{snake(branch.target.name)}_model, '
                                 f'.offset = offsetof({union.name}, {branch.member}), .words = {words}')
                else:
                    parts.append('.kind = MODEL_FLAG, .words = MODEL_REPEAT')
                self.out.append(f'    {{ {", ".join(parts)} }}, /* :{branch.where.line} */')
                count += 1
        if not count:
            self.out.append('    { .place = MODEL_AT_NOWHERE, .kind = MODEL_FLAG, .value = -1 },')
        self.out.append('};')
        kind = 'ELEMENTS' if union.by_element else 'UNION'
        tag = f', .tag_attr = {quote(union.tag_attr)}' if union.tag_attr else ''
        self.out.append(
            f'const ModelType {c}_model = {{ .name = {quote(union.name)}, .file = &file, .kind = MODEL_TYPE_{kind}, '
            f'.fields = {c}_fields, .n_fields = G_N_ELEMENTS({c}_fields), .kinds = &{snake(union.enum.name)}_model, '
            f'.size = sizeof({union.name}){tag}{self.deep_words(union)} }};')

    def deep_words(self, new: Union[Object, Union_]) -> str:
        return ''.join(f', .has_{what} = true' for what in ('defaults', 'rules', 'text') if deep(new, what, set()))

    def enum(self, enum: Enum) -> None:
        c = snake(enum.name)
        words = ', '.join(quote(v.word) for v in enum.values)
        self.out += ['', f'/* {enum.where} */', f'static const char *const {c}_words[] = {{ NULL, {words} }};',
                     f'const ModelEnum {c}_model = {{ .name = {quote(enum.name)}, .words = {c}_words, '
                     f'.n_words = G_N_ELEMENTS({c}_words) }};']

    def write(self) -> str:
        file = self.file
        out = self.out
        out += ['/* SPDX-License-Identifier: LGPL-2.1-or-later */', NOTE.format(path=file.path),
                f'#include "model-{file.name}.h"', '', '#include <stddef.h>', '#include <libvirt/virterror.h>', '']
        spaces = ''
        if file.namespaces:
            entries = ', '.join(f'{{ {quote(p)}, {quote(u)} }}' for p, u in file.namespaces.items())
            out.append(f'static const ModelNamespace namespaces[] = {{ {entries} }};')
            spaces = ', .namespaces = namespaces, .n_namespaces = G_N_ELEMENTS(namespaces)'
        if file.document:
            out.append('static const char rng[] =')
            out += [f'    {quote(line)}' for line in grammar(file).splitlines()]
            out[-1] += ';'
            spaces += ', .grammar = rng'
        out.append(f'static const ModelFile file = {{ .name = {quote(file.name)}, '
                   f'.error_domain = VIR_FROM_{file.error or "XML"}{spaces} }};')
        for enum in file.enums():
            self.enum(enum)
        for new in in_order(file):
            if isinstance(new, Union_):
                self.union(new)
            else:
                self.object(new)
        return '\n'.join(out) + '\n'


def tables(file: File) -> str:
    return Tables(file).write()


