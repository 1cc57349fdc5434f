# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a model schema says, as Python objects. Filled by model_read.py, resolved by model_check.py,
written out by model_c.py, model_rng.py and model_docs.py. The language: schema/model/README.md.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple, Union

C_KEYWORDS = set(
    'auto break case char const continue default do double else enum extern float for goto if inline int long '
    'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while '
    'bool true false typeof asm linux unix'.split())

# scalar type -> (kind of the engine, C type, needs has_x when optional)
SCALARS: Dict[str, Tuple[str, str, bool]] = {
    'string': ('MODEL_STRING', 'char *', False),
    'int': ('MODEL_INT', 'gint', True),
    'uint': ('MODEL_UINT', 'guint', True),
    'llong': ('MODEL_LLONG', 'gint64', True),
    'ullong': ('MODEL_ULLONG', 'guint64', True),
    'hex': ('MODEL_HEX', 'guint', True),
    'hex64': ('MODEL_HEX64', 'guint64', True),
    'octal': ('MODEL_OCTAL', 'guint', True),
    'double': ('MODEL_DOUBLE', 'double', True),
    'yesno': ('MODEL_BOOL', 'bool', False),
    'onoff': ('MODEL_BOOL', 'bool', False),
    'enabledisable': ('MODEL_BOOL', 'bool', False),
    'uuid': ('MODEL_UUID', 'guchar', True),
    'mac': ('MODEL_MAC', 'guchar', True),
    'kib': ('MODEL_SIZE', 'guint64', True),
    'mib': ('MODEL_SIZE', 'guint64', True),
    'bytes': ('MODEL_SIZE', 'guint64', True),
    'size': ('MODEL_SIZE', 'guint64', True),
    'bitmap': ('MODEL_BITMAP', 'Bitmap *', False),
    'raw': ('MODEL_RAW', 'char *', False),
}
NUMBERS = {'int', 'uint', 'llong', 'ullong', 'hex', 'hex64', 'octal', 'double', 'kib', 'mib', 'bytes', 'size'}
TRUTH = {'yesno': ('yes', 'no'), 'onoff': ('on', 'off'), 'enabledisable': ('enable', 'disable')}
SIZE_UNITS = {
    'b': 1, 'bytes': 1, 'KB': 1000, 'k': 1 << 10, 'KiB': 1 << 10, 'MB': 1000 ** 2, 'M': 1 << 20, 'MiB': 1 << 20,
    'GB': 1000 ** 3, 'G': 1 << 30, 'GiB': 1 << 30, 'TB': 1000 ** 4, 'T': 1 << 40, 'TiB': 1 << 40, 'B': 1,
}


class SchemaError(Exception):
    """A mistake in a schema file: where, what, and what would be right."""

    def __init__(self, where: 'Where', text: str) -> None:
        super().__init__(f'{where}: {text}')


@dataclass(frozen=True)
class Where:
    path: str
    line: int

    def __str__(self) -> str:
        return f'{self.path}:{self.line}'


@dataclass
class EnumValue:
    where: Where
    c_name: str
    word: str
    doc: str = ''
    since: str = ''


@dataclass
class Enum:
    where: Where
    name: str
    values: List[EnumValue] = field(default_factory=list)
    doc: str = ''
    made: bool = False      # made from the branches of a `by element` union

    def value(self, word: str) -> Optional[EnumValue]:
        return next((v for v in self.values if v.word == word), None)


@dataclass
class Field:
    """One line: place, type, words. place is attr, child, text, inline, any, none (a C member only) or block."""
    where: Where
    place: str
    name: str = ''                      # element or attribute name as written, with its prefix
    item_attr: str = ''                 # of a list `<child@attr> T*`: where each entry's value stands
    type: str = ''
    param: str = ''
    optional: bool = False
    many: bool = False
    default: Optional[str] = None
    words: Dict[str, List[str]] = field(default_factory=dict)
    doc: str = ''
    member: str = ''
    fields: List['Field'] = field(default_factory=list)     # of a block
    explicit: bool = False                                  # block written as such
    target: Union['Object', 'Union_', Enum, None] = None
    tag_of: Optional['Field'] = None                        # of a tag line: the first union that it chooses for
    by: Optional['Field'] = None                            # of a union: its tag line

    def has(self, word: str) -> bool:
        return word in self.words

    @property
    def kind(self) -> str:
        if self.place == 'block':
            return 'block'
        if isinstance(self.target, Object):
            return 'object'
        if isinstance(self.target, Union_):
            return 'union'
        if isinstance(self.target, Enum):
            return 'enum'
        return self.type


@dataclass
class Rule:
    where: Where
    stage: str              # fill, late or check
    function: str


@dataclass
class Object:
    where: Where
    name: str
    element: str = ''
    fields: List[Field] = field(default_factory=list)
    rules: List[Rule] = field(default_factory=list)
    doc: str = ''
    file: Optional['File'] = None


@dataclass
class Branch:
    where: Where
    names: List[str]
    type: str               # '' or '-': no content
    member: str = ''
    doc: str = ''
    target: Union[Object, None] = None


@dataclass
class Union_:
    where: Where
    name: str
    enum_name: str = ''     # '' = by element
    tag_attr: str = ''
    branches: List[Branch] = field(default_factory=list)
    doc: str = ''
    enum: Optional[Enum] = None
    file: Optional['File'] = None

    @property
    def by_element(self) -> bool:
        return self.enum_name == ''


@dataclass
class File:
    path: str
    name: str = ''
    error: str = ''
    error_where: Optional[Where] = None
    document: str = ''                  # the object that is the root of whole documents
    document_where: Optional[Where] = None
    uses: List[Tuple[Where, str]] = field(default_factory=list)
    namespaces: Dict[str, str] = field(default_factory=dict)
    types: List[Union[Object, Union_, Enum]] = field(default_factory=list)
    used: Dict[str, 'File'] = field(default_factory=dict)

    def enums(self) -> List[Enum]:
        return [t for t in self.types if isinstance(t, Enum)]

    def objects(self) -> List[Object]:
        return [t for t in self.types if isinstance(t, Object)]

    def unions(self) -> List[Union_]:
        return [t for t in self.types if isinstance(t, Union_)]


def snake(name: str) -> str:
    """currentMemory -> current_memory, on_poweroff and on-poweroff -> on_poweroff, VNCPort -> vnc_port."""
    name = re.sub(r'[^A-Za-z0-9]+', '_', name)
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name).lower().strip('_')
    return name + '_' if name in C_KEYWORDS else name


def upper(name: str) -> str:
    return snake(name).rstrip('_').upper()


def constant(enum: Enum, value: EnumValue) -> str:
    return f'{upper(enum.name)}_{value.c_name}'


def c_word(word: str) -> str:
    return re.sub(r'[^A-Za-z0-9]', '_', word).upper()


def quote(text: str) -> str:
    """A C string literal."""
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"'
