# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests in Python use the distribution's bindings on our library: started without it, pytest starts itself again with it."""
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
CLIENT = str(BUILD / 'src/client')

sys.path.insert(0, str(TOP / 'tests/live'))
sys.dont_write_bytecode = True

if CLIENT not in os.environ.get('LD_LIBRARY_PATH', '').split(':') and (BUILD / 'src/client/libvirt.so.0').exists():
    os.environ['LD_LIBRARY_PATH'] = CLIENT + (':' + os.environ['LD_LIBRARY_PATH'] if 'LD_LIBRARY_PATH' in os.environ else '')
    os.execv(sys.executable, [sys.executable, '-m', 'pytest', *sys.argv[1:]])
