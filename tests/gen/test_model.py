# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model generator: mistakes are reported with file and line and what would be right; output is stable and quick."""
from __future__ import annotations

import subprocess
import sys
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / 'gen' / 'model.py'
HEAD = 'model farm\nerror DOMAIN\n'

# name of the claim -> lines after the head (the first is line 3), line of the mistake, words of the message
MISTAKES = {
    'unknown_type': ('object Cow <cow>\n  @name  text2\n', 4, 'text2: no such type'),
    'unknown_word': ('object Cow\n  @name  string  abbi\n', 4, '`abbi`: no such word; there are abi'),
    'missing_type': ('object Cow\n  @name\n', 4, '@name: a type is missing'),
    'bad_place': ('object Cow\n  name  string\n', 4, 'name: expected @attr'),
    'tab': ('object Cow\n\t@name string\n', 4, 'a tab'),
    'stray_line': ('  @name string\n', 3, 'belongs to nothing'),
    'unknown_head': ('objekt Cow\n', 3, 'expected model NAME'),
    'type_name': ('object cow\n', 3, 'a type is named like DiskTarget'),
    'twice_defined': ('object Cow\n  @a int\nobject Cow\n  @b int\n', 5, 'already defined at schema/model/farm.model:3'),
    'member_taken': ('object Cow\n  @a int\n  <a> int\n', 5, 'member a is already made at schema/model/farm.model:4: use `as NAME`'),
    'place_taken': ('object Cow\n  @a int\n  @a int as b\n', 5, '@a is already read at schema/model/farm.model:4'),
    'element_torn': ('object Cow\n  <a@x> int\n  <b> int\n  <a@y> int\n', 6, 'lines of one element stand together'),
    'bad_default': ('enum Kind: beef milk\nobject Cow\n  @k  Kind = wool\n', 5, 'wool is no value of Kind'),
    'bad_number': ('object Cow\n  @k  int = many\n', 4, 'many is no number'),
    'bad_truth': ('object Cow\n  @k  onoff = yes\n', 4, 'yes: expected on or off'),
    'default_of_optional': ('object Cow\n  @k  int? = 3\n', 4, 'a default and `?` exclude each other'),
    'bad_range': ('object Cow\n  @k  string range 1..2\n', 4, 'range: A..B'),
    'hides_nothing': ('object Cow\n  @k  int hidden\n', 4, 'hidden: there is no default to hide'),
    'recursion': ('object Cow\n  <calf>  Cow\n', 4, 'Cow would contain itself: use ? or *'),
    'list_in_attribute': ('object Cow\n  @k  int*\n', 4, 'cannot stand in an attribute'),
    'object_in_attribute': ('object Leg\n  @n int\nobject Cow\n  @k  Leg\n', 6, 'Leg cannot stand in an attribute'),
    'double_word': ('enum Kind: beef beef\n', 3, 'beef is already in Kind'),
    'reserved_word': ('enum Kind: last\n', 3, 'KIND_LAST is made for every enum'),
    'union_on_nothing': ('union Food on Kind\n  hay Hay\n', 3, 'no such enum'),
    'branch_of_no_word': ('enum Kind: hay\nobject Hay\n  @n int\nunion Food on Kind\n  straw Hay\n', 7, 'straw is no value of Kind'),
    'branch_twice': ('enum Kind: hay\nobject Hay\n  @n int\nunion Food on Kind\n  hay Hay\n  hay Hay as more\n', 8,
                     'hay has a branch already'),
    'union_without_tag': ('enum Kind: hay\nobject Hay\n  @n int\nunion Food on Kind\n  hay Hay\nobject Cow\n  <food> Food\n', 9,
                          'which line says the branch?'),
    'by_without_tag': ('enum Kind: hay\nobject Hay\n  @n int\nunion Food on Kind\n  hay Hay\nobject Cow\n  <food> Food by kind\n', 9,
                       'no line above is named kind'),
    'tag_without_union': ('enum Kind: hay\nobject Cow\n  @kind Kind tag\n', 5, 'no union below says `by kind`'),
    'tag_of_other_enum': ('enum Kind: hay\nenum Other: hay\nobject Hay\n  @n int\nunion Food on Kind\n  hay Hay\nobject Cow\n'
                          '  @t Other tag\n  <food> Food by t\n', 11, 'is on Kind, the tag is Other'),
    'elements_in_child': ('object Hay\n  @n int\nunion Food by element\n  <hay> Hay\nobject Cow\n  <food> Food\n', 8,
                          'stands at the place <*>'),
    'unknown_prefix': ('object Cow\n  <x:k>  int\n', 4, 'say `namespace x URI`'),
    'unknown_error': ('object Cow\n  @k  string missing NO_COW "x"\n', 4, 'VIR_ERR_NO_COW: there is no such name'),
    'unknown_unit': ('object Cow\n  <k>  size(litre)\n', 4, 'size(litre): one of b bytes'),
    'again_of_nothing': ('object Cow\n  <k>  int again when f\n', 4, 'no other line of this object makes a member k'),
    'generated_rule': ('object Cow\n  check cow_check\n  @a int\n', 4, 'cow_check() is generated'),
    'unknown_document': ('document Cow\nobject Bull\n  @a int\n', 3, 'no object of this file with an element'),
    'unknown_use': ('use barn\n', 3, 'use barn: there is no barn.model'),
}


def run(folder: Path, output: Path, *names: str) -> 'subprocess.CompletedProcess[str]':
    return subprocess.run([sys.executable, str(GENERATOR), str(folder), str(output), *names], capture_output=True, text=True,
                          check=False)


class Mistakes(unittest.TestCase):
    def test_each_is_reported_with_its_line(self) -> None:
        with TemporaryDirectory() as name:
            folder = Path(name) / 'model'
            folder.mkdir()
            (Path(name) / 'api').symlink_to(ROOT / 'schema' / 'api')
            for claim, (text, line, message) in MISTAKES.items():
                with self.subTest(claim):
                    (folder / 'farm.model').write_text(HEAD + text, encoding='utf-8')
                    result = run(folder, folder, 'farm')
                    self.assertEqual(result.returncode, 1, result.stderr)
                    self.assertTrue(result.stderr.startswith(f'schema/model/farm.model:{line}: '), result.stderr)
                    self.assertIn(message, result.stderr)
                    self.assertNotIn('Traceback', result.stderr)


class Output(unittest.TestCase):
    def generate(self, output: Path) -> Dict[str, str]:
        names = sorted(path.stem for path in (ROOT / 'schema' / 'model').glob('*.model'))
        result = run(ROOT / 'schema' / 'model', output, *names)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {path.name: path.read_text(encoding='utf-8') for path in output.iterdir()}

    def test_is_stable_and_made_in_two_seconds(self) -> None:
        with TemporaryDirectory() as first, TemporaryDirectory() as second:
            start = time.monotonic()
            one = self.generate(Path(first))
            self.assertLess(time.monotonic() - start, 2)
            self.assertEqual(one, self.generate(Path(second)))

    def test_is_written_only_when_it_changes(self) -> None:
        with TemporaryDirectory() as folder:
            self.generate(Path(folder))
            before = {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()}
            self.generate(Path(folder))
            self.assertEqual(before, {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()})

    def test_no_generator_file_is_over_400_lines(self) -> None:
        for path in (ROOT / 'gen').glob('model*.py'):
            self.assertLessEqual(len(path.read_text(encoding='utf-8').splitlines()), 400, path.name)


if __name__ == '__main__':
    unittest.main()
