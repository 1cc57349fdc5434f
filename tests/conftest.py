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


def pytest_configure(config):
    library = BUILD / 'src/client/libvirt.so.0'
    path = os.environ.get('LD_LIBRARY_PATH', '')
    if CLIENT in path.split(':') or not library.exists():
        return
    # What is captured so far goes to a file of the pytest that ends here.
    capture = config.pluginmanager.getplugin('capturemanager')
    if capture:
        capture.stop_global_capturing()
    os.environ['LD_LIBRARY_PATH'] = CLIENT + (':' + path if path else '')
    os.execv(sys.executable, [sys.executable, '-m', 'pytest', *sys.argv[1:]])
