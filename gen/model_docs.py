# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes model-NAME.md of a model schema: the reference of each object, its places in the XML, their types and meanings."""
from __future__ import annotations

from typing import List

from model_ast import Branch, Enum, Field, File, Object, Union_, snake

SHOWN = {'abi': 'fixed while running', 'live': 'running guests only', 'secure': 'only with the SECURE flag',
         'status': 'state file only', 'migratable': 'not in migratable XML', 'input': 'read only, never printed'}


def cell(text: str) -> str:
    return text.replace('|', '\\|')


def type_text(line: Field) -> str:
    if line.target is not None:
        return f'[{line.type}](#{line.type.lower()})'
    return line.type + (f'({line.param})' if line.param else '')


def notes(line: Field) -> str:
    parts: List[str] = []
    if line.many:
        parts.append('list')
    elif line.optional or line.type == 'flag':
        parts.append('optional')
    elif line.default is not None:
        parts.append(f'default `{line.default}`')
    parts += [SHOWN[word] for word in line.words if word in SHOWN]
    if line.has('range'):
        parts.append('range ' + line.words['range'][0])
    if line.by is not None:
        parts.append(f'chosen by `{line.by.name}`')
    if line.has('since'):
        parts.append('since ' + line.words['since'][0])
    return ', '.join(parts)


def rows(fields: List[Field], path: str) -> List[str]:
    out: List[str] = []
    for line in fields:
        if line.place == 'none' or line.has('again'):
            continue
        if line.place == 'block':
            out += rows(line.fields, f'{path}{line.name}/')
            continue
        place = {'attr': f'{path}@{line.name}', 'child': f'{path}{line.name}' + (f'/@{line.item_attr}' if line.item_attr else ''),
                 'text': f'{path}text()', 'inline': path or '.', 'any': f'{path}*'}[line.place]
        out.append(f'| `{place}` | {cell(type_text(line))} | {cell(notes(line))} | {cell(line.doc)} |')
    return out


def branch_row(branch: Branch) -> str:
    content = f'[{branch.type}](#{branch.type.lower()})' if branch.target else ''
    return f'| {", ".join(f"`{name}`" for name in branch.names)} | {content} | {cell(branch.doc)} |'


def document(file: File) -> str:
    out = [f'# Model {file.name}', '', f'Generated from `{file.path}`; the language is explained in `schema/model/README.md`.', '']
    for new in file.types:
        if isinstance(new, Enum) and new.made:
            continue
        out += [f'## {new.name}', '']
        if new.doc:
            out += [new.doc, '']
        if isinstance(new, Object):
            if new.element:
                out += [f'Element `<{new.element}>`, functions `{snake(new.name)}_*`.', '']
            out += ['| place | type | | meaning |', '|---|---|---|---|'] + rows(new.fields, '')
        elif isinstance(new, Union_):
            out += ['| branch | content | meaning |', '|---|---|---|'] + [branch_row(branch) for branch in new.branches]
        else:
            out += ['| word | meaning |', '|---|---|'] + [f'| `{v.word}` | {cell(v.doc)} |' for v in new.values]
        out.append('')
    return '\n'.join(out)
