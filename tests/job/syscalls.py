# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of a scenario in which something dies or fails at one system call, and the judgement of what is found afterwards.
tracer.c does it; scene.py has the scenarios; test_syscalls.py chooses.
"""
import os
import signal
import subprocess
import time
from pathlib import Path

from scene import Scenario, Scene, lab_module, libvirt

TRACER = lab_module.BUILD / 'tests/tracer'
KILLS = ('kill-before', 'kill-after', 'kill-before-all', 'kill-after-all', 'tear')
FAILS = tuple(name + ever for name in ('ENOSPC', 'EIO', 'EACCES') for ever in ('', '+'))


class Tracer:
    """The tracer beside a daemon that runs, or the program that starts one under it."""

    def __init__(self, scene: Scene, point: str | None = None, action: str | None = None) -> None:
        self.scene = scene
        self.path = scene.lab.dir / 'trace'
        self.path.unlink(missing_ok=True)
        self.process: subprocess.Popen | None = None
        self.words = [str(TRACER), '-o', str(self.path), '-r', str(scene.lab.dir), '-x', str(scene.lab.dir / 'libvirtd.log'),
                      *[word for _, pid in scene.lab.emulator_list() for word in ('-e', str(pid))],
                      *(['-a', point, action] if point else [])]

    def attach(self) -> 'Tracer':
        self.process = subprocess.Popen([*self.words, '-p', str(self.scene.lab.pid)])
        lab_module.wait_for(lambda: 'READY' in self.lines() or self.process.poll() is not None, what='the tracer')
        assert self.process.poll() is None, 'no tracing here'
        return self

    def program(self) -> list[str]:
        """For Lab.start: the daemon under the tracer from its first instruction on."""
        return [*self.words, '--', str(lab_module.DAEMON), '--pid-file', str(self.scene.lab.dir / 'run/libvirtd.pid')]

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def points(self) -> list[str]:
        return [line for line in self.lines() if '#' in line]

    def was_hit(self) -> bool:
        return 'HIT' in self.lines()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def succeeds(scene: Scene, act) -> bool:
    """What was answered must hold, whatever dies afterwards."""
    try:
        act(scene)
    except libvirt.libvirtError:
        return False
    return True


def is_reply(point: str) -> bool:
    return ' reply#' in point


def diff(found: dict, wanted: dict) -> str:
    return '; '.join(f'{k}: {found.get(k)} instead of {wanted.get(k)}' for k in {**wanted, **found} if found.get(k) != wanted.get(k))


class Trial:
    """A scenario, what it looks like before and after, and its points."""

    def __init__(self, scene: Scene, name: str, scenario: Scenario) -> None:
        self.scene, self.name, self.scenario = scene, name, scenario
        scene.reset(scenario.situation)
        self.before = scene.look()
        tracer = Tracer(scene).attach()
        scenario.act(scene)
        scene.settle()
        tracer.end()
        self.points = tracer.points()
        self.after = scene.look()
        self.missed = 0

    # ---- runs ----

    def killed(self, point: str, action: str) -> str | None:
        """What is wrong after the daemon dies at @point and another one starts; None: nothing."""
        if not self.kill_at(point, action):
            return None
        self.scene.start()
        return self.judge(f'{action} at {point}')

    def kill_at(self, point: str, action: str) -> bool:
        scene = self.scene
        scene.reset(self.scenario.situation)
        tracer = Tracer(scene, point, action).attach()
        self.answered = succeeds(scene, self.scenario.act)
        lab_module.wait_for(lambda: tracer.was_hit() or not scene.journals(), what='the end of the job')
        if tracer.was_hit():
            tracer.process.wait(30)
        tracer.end()
        was_hit = tracer.was_hit()
        self.missed += not was_hit
        scene.lab.kill9()
        self.without_emulator = action.endswith('-all')
        return was_hit

    def killed_twice(self, point: str, second: str, action: str = 'kill-before') -> str | None:
        """The daemon that recovers from the first kill dies at @second, too."""
        if not self.kill_at(point, 'kill-before'):
            return None
        self.start_traced(second, action)
        self.scene.start()
        return self.judge(f'kill-before at {point}, then {action} at {second}')

    def recovery_points(self, point: str) -> list[str]:
        if not self.kill_at(point, 'kill-before'):
            return []
        return self.start_traced(None, None)

    def start_traced(self, point: str | None, action: str | None) -> list[str]:
        tracer = Tracer(self.scene, point, action)
        try:
            self.scene.start(program=tracer.program())
            self.scene.settle()
            self.scene.look()
        except (RuntimeError, TimeoutError, libvirt.libvirtError):
            pass
        self.scene.lab.kill9()
        return tracer.points()

    def failed(self, point: str, action: str, restarts: bool) -> str | None:
        """What is wrong after the system call at @point fails."""
        scene = self.scene
        scene.reset(self.scenario.situation)
        tracer = Tracer(scene, point, action).attach()
        self.answered = succeeds(scene, self.scenario.act)
        self.wait_quiet(tracer)
        tracer.end()
        self.missed += not tracer.was_hit()
        self.without_emulator = False
        if scene.lab.daemon.poll() is not None:
            return f'{action} at {point}: the daemon died\n' + scene.lab.log()[-2000:]
        if restarts and scene.journals():
            scene.lab.restart()
            scene.conn = scene.lab.conn()
        return self.judge(f'{action} at {point}', is_failure=True)

    def emulator_killed(self, point: str) -> str | None:
        scene = self.scene
        scene.reset(self.scenario.situation)
        tracer = Tracer(scene, point, 'emulator').attach()
        self.answered = succeeds(scene, self.scenario.act)
        self.wait_quiet(tracer)
        tracer.end()
        self.missed += not tracer.was_hit()
        self.without_emulator = True
        if scene.lab.daemon.poll() is not None:
            return f'emulator killed at {point}: the daemon died\n' + scene.lab.log()[-2000:]
        return self.judge(f'emulator killed at {point}', is_failure=True)

    def wait_quiet(self, tracer: Tracer) -> None:
        """The call may be answered before its job has ended; a job that is stuck does nothing more."""
        seen, end = [], time.monotonic() + 5
        while self.scene.journals() and time.monotonic() < end:
            before, seen = seen, tracer.lines()
            if tracer.was_hit() and before == seen:
                return
            time.sleep(0.1)

    # ---- judgement ----

    def judge(self, what: str, is_failure: bool = False) -> str | None:
        try:
            return self._judge(what, is_failure)
        except (AssertionError, TimeoutError, OSError, libvirt.libvirtError) as problem:
            return f'{self.name}: {what}: {type(problem).__name__}: {problem}\n' + self.scene.lab.log()[-3000:]

    def _judge(self, what: str, is_failure: bool) -> str | None:
        scene = self.scene
        if scene.journals():
            self.wake_job()
        scene.settle()
        lab_module.wait_for(lambda: not scene.helpers(), 5, 'the end of all helpers')
        found = scene.look()
        if is_failure and any(name.endswith('.tmp') or (name.startswith('run/') and not found['emulators']) for name in found['lib']):
            scene.lab.restart()  # what could not even be removed goes at the next start
            scene.conn = scene.lab.conn()
            found = scene.look()
        if self.is_like(found, self.after):
            return None
        if is_failure and self.name.startswith('revert') and stays_off(found, self.after):
            return None
        if self.answered:
            return self._tell(f'{what}: it was answered with success, but', found)
        if self.is_like(found, self.before):
            return self._repeat(what)
        if is_failure and self.name.startswith('delete') and found['contents'] == self.before['contents']:
            return self._repeat(what)  # a merge that failed leaves the snapshot marked as being deleted
        return self._tell(f'{what}:', found)

    def wake_job(self) -> None:
        """A job that is stuck is tried again before the next change, whatever that is."""
        try:
            self.scene.dom.rename('g')
        except libvirt.libvirtError:
            pass

    def is_like(self, found: dict, wanted: dict) -> bool:
        if found == wanted:
            return True
        return self.without_emulator and off(found) in (off(wanted), {**off(wanted), 'domain': None})

    def _tell(self, what: str, found: dict) -> str:
        return (f'{self.name}: {what} left something between\n  from before: {diff(found, self.before)}\n'
                f'  from after: {diff(found, self.after)}\n' + self.scene.lab.log()[-3000:])

    def _repeat(self, what: str) -> str | None:
        """The same call again has to succeed; it may find that the first one was finished meanwhile."""
        error = None
        if self.without_emulator and self.before.get('emulators'):
            return None  # another situation than the call was made for
        try:
            self.scenario.act(self.scene)
        except libvirt.libvirtError as problem:
            error = problem
        self.scene.settle()
        again = self.scene.look()
        if error and not (self.is_like(again, self.after) and is_finished_already(error)):
            return f'{self.name}: {what}: the repeated call failed: {error}; {diff(again, self.after)}\n' + self.scene.lab.log()[-3000:]
        if again != self.after and not forget_boot(again) == forget_boot(self.after):
            return f'{self.name}: {what}: the repeated call led to: {diff(again, self.after)}\n' + self.scene.lab.log()[-3000:]
        return None


def off(seen: dict) -> dict:
    """The same without its emulator."""
    if seen.get('domain') is None:
        return seen
    return {**seen, 'state': libvirt.VIR_DOMAIN_SHUTOFF, 'emulators': 0, 'live': seen['config'], 'boot': None,
            'lib': tuple(f for f in seen['lib'] if not f.startswith('run/'))}


def stays_off(found: dict, after: dict) -> bool:
    """At the snapshot, but its start failed after the old guest had to end: said in the error, and no disk is lost."""
    return off(found) == off(after) and found['state'] == libvirt.VIR_DOMAIN_SHUTOFF


def forget_boot(seen: dict) -> dict:
    return {**seen, 'boot': None}


def is_finished_already(error) -> bool:
    return error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
                                      libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN,
                                      libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_FAILED)
