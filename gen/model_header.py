# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes gen/model-NAME.h of a model schema: enums, structs and the typed inline face of the engine (src/model/engine.h)
for each of them.
"""
from __future__ import annotations

from typing import List, Tuple, Union

from model_ast import SCALARS, Enum, Field, File, Object, Union_, constant, snake, upper
from model_check import in_order, members, walk

NOTE = '/* Generated from {path} by gen/model.py; edit that file instead. */'


def wrap(text: str, indent: str = '') -> List[str]:
    """A C comment."""
    lines, line = [], '/* ' + text.replace('*/', '* /')
    while len(indent) + len(line) > 116:
        cut = line.rfind(' ', 4, 116 - len(indent))
        if cut < 4:
            break
        lines.append(indent + line[:cut])
        line = ' * ' + line[cut + 1:]
    return lines + [indent + line + ' */']


def enum_lines(enum: Enum) -> List[str]:
    prefix = upper(enum.name)
    out = ['']
    if enum.doc:
        out += wrap(enum.doc)
    out += [f'typedef enum {{ /* {enum.where} */', f'    {prefix}_UNSET = 0,']
    for value in enum.values:
        name = f'    {constant(enum, value)},'
        out.append(name + (f' /* {value.doc} */' if value.doc else ''))
    out += [f'    {prefix}_LAST,', f'}} {enum.name};', f'extern const ModelEnum {snake(enum.name)}_model;']
    return out


def c_type(line: Field) -> str:
    if line.type == 'flag':
        return 'bool'
    if line.target is not None:
        return line.target.name
    if line.optional and SCALARS[line.type][0] == 'MODEL_BOOL':
        return 'Tristate'
    return SCALARS[line.type][1]


def member_lines(line: Field) -> List[str]:
    base = c_type(line)
    space = '' if base.endswith('*') else ' '
    tail = {'uuid': '[16]', 'mac': '[6]'}.get(line.type, '')
    out: List[str] = []
    doc = f' /* {line.doc.replace("*/", "* /")} */' if line.doc else ''
    if line.many:
        stars = '*' if line.target is None and not base.endswith('*') or isinstance(line.target, Enum) else '**'
        if base.endswith('*'):
            stars = '*'
        out.append(f'{base}{space}{stars}{line.member};{doc}')
        out.append(f'gsize n_{line.member};')
    elif isinstance(line.target, Object) and line.optional:
        out.append(f'{base} *{line.member};{doc}')
    else:
        out.append(f'{base}{space}{line.member}{tail};{doc}')
        if line.optional and line.type in SCALARS and SCALARS[line.type][2]:
            out.append(f'bool has_{line.member};')
    return out


def struct_lines(new: Union[Object, Union_]) -> List[str]:
    out = ['']
    if new.doc:
        out += wrap(new.doc)
    out.append(f'struct {new.name} {{ /* {new.where} */')
    if isinstance(new, Union_):
        assert new.enum
        out.append(f'    {new.enum.name} kind;')
        for branch in new.branches:
            if branch.target:
                out.append(f'    {branch.target.name} *{branch.member};' + (f' /* {branch.doc} */' if branch.doc else ''))
    else:
        count = 0
        for line in members(new.fields):
            for text in member_lines(line):
                out.append('    ' + text)
                count += 1
        if not count:
            out.append('    char is_empty;')
    out.append('};')
    return out


def rule_lines(file: File) -> List[str]:
    out: List[str] = []
    seen = set()
    for obj in file.objects():
        for rule in obj.rules:
            const = 'const ' if rule.stage == 'check' else ''
            out.append(f'bool {rule.function}({const}{obj.name} *{snake(obj.name)}, const ModelRules *rules, GError **err);')
        for line in walk(obj.fields):
            for name, text in field_functions(obj, line):
                if name not in seen:
                    seen.add(name)
                    out.append(text)
    return ['', '/* Written by hand in src/model: the rules and odd syntax that the schema names. */'] + out if out else []


def field_functions(obj: Object, line: Field) -> List[Tuple[str, str]]:
    """Prototypes of the functions that one line names."""
    out = []
    block = line.place == 'block'
    base = 'void' if block else 'guchar' if line.type in ('uuid', 'mac') else c_type(line).rstrip()
    star = '*' if base.endswith('*') else ' *'
    const = 'char *const *' if base == 'char *' else f'{base} const *' if base.endswith('*') else f'const {base} *'
    if line.has('custom'):
        parse, fmt = line.words['custom']
        out.append((parse, f'bool {parse}(const char *text, {base}{star}{line.member}, GError **err);'))
        out.append((fmt, f'char *{fmt}({const}{line.member});'))
    if line.has('when'):
        out.append((line.words['when'][0],
                    f'bool {line.words["when"][0]}(const {obj.name} *{snake(obj.name)}, ModelFormatFlags flags);'))
    return out


def face_lines(new: Union[Object, Union_]) -> List[str]:
    """The inline functions of one struct."""
    name, c = new.name, snake(new.name)
    model = f'{c}_model'
    out = ['', f'extern const ModelType {model};']

    def add(result: str, function: str, args: str, call: str) -> None:
        give = '' if result == 'void' else 'return '
        space = '' if result.endswith('*') else ' '
        out.append(f'static inline {result}{space}{c}_{function}({args}) {{ {give}{call}; }}')

    add(f'{name} *', 'new', 'void', f'model_new(&{model})')
    add('void', 'free', f'{name} *self', f'model_free(&{model}, self)')
    add(f'{name} *', 'copy', f'const {name} *self', f'model_copy(&{model}, self)')
    add('bool', 'equal', f'const {name} *a, const {name} *b', f'model_equal(&{model}, a, b)')
    add('bool', 'compare', f'const {name} *self, const {name} *other, GError **err', f'model_compare(&{model}, self, other, err)')
    add('json_t *', 'to_json', f'const {name} *self, ModelFormatFlags flags', f'model_to_json(&{model}, self, flags)')
    if isinstance(new, Object):
        add('bool', 'fill', f'{name} *self, void *opaque, GError **err', f'model_fill(&{model}, self, opaque, err)')
        add('bool', 'check', f'const {name} *self, void *opaque, GError **err', f'model_check(&{model}, self, opaque, err)')
    if isinstance(new, Object) and new.element:
        add(f'{name} *', 'parse', 'const char *xml, ModelParseFlags flags, GError **err',
            f'model_parse(&{model}, xml, flags, err)')
        add('char *', 'format', f'const {name} *self, ModelFormatFlags flags', f'model_format(&{model}, self, flags)')
    out.append(f'G_DEFINE_AUTOPTR_CLEANUP_FUNC({name}, {c}_free)')
    return out


def enum_face(enum: Enum) -> List[str]:
    c = snake(enum.name)
    return [
        f'static inline const char *{c}_to_string({enum.name} value) {{ return model_enum_word(&{c}_model, value); }}',
        f'static inline {enum.name} {c}_from_string(const char *word) '
        f'{{ return ({enum.name}) model_enum_value(&{c}_model, word); }}',
    ]


def header(file: File) -> str:
    out = ['/* SPDX-License-Identifier: LGPL-2.1-or-later */', NOTE.format(path=file.path), '#pragma once', '',
           '#include <glib.h>', '#include <stdbool.h>', '', '#include "model/engine.h"']
    out += [f'#include "model-{name}.h"' for _where, name in file.uses]
    out += ['', '/* jansson.h is included by those who call to_json */', 'struct json_t;', 'typedef struct json_t json_t;',
            'json_t *model_to_json(const ModelType *type, const void *self, ModelFormatFlags flags);', '']
    ordered = in_order(file)
    out += [f'typedef struct {new.name} {new.name};' for new in ordered]
    for enum in file.enums():
        out += enum_lines(enum)
    for new in ordered:
        out += struct_lines(new)
    for enum in file.enums():
        out += [''] + enum_face(enum)
    for new in ordered:
        out += face_lines(new)
    out += rule_lines(file)
    return '\n'.join(out) + '\n'
