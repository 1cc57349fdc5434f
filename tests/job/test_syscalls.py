# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every job, killed and failed at the system calls that change something: afterwards it is before or after, exactly.

By hand, all points:   FAULTS=all pytest tests/job/test_syscalls.py [-k SCENARIO]
One point again:       FAULTS_POINT='daemon fsync ~/x#2' FAULTS_ACTION=kill-before pytest tests/job/test_syscalls.py -k SCENARIO
Otherwise a part, chosen by a seed (the date and the commit, or FAULTS_SEED) that is printed, for FAULTS_SECONDS.
"""
import datetime
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from scene import SCENARIOS, Scene, lab_module
from syscalls import FAILS, KILLS, TRACER, Trial, is_reply

ALL = os.environ.get('FAULTS') == 'all'
POINT = os.environ.get('FAULTS_POINT')
ACTIONS = os.environ.get('FAULTS_ACTION', '').split()
SECONDS = float(os.environ.get('FAULTS_SECONDS', '75'))
SCENARIO_POINTS = 6


@pytest.fixture(scope='module')
def scene():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    if not TRACER.exists():
        pytest.skip('the tracer is not built on this machine')
    lab_module.become_subreaper()
    # Not below pytest's own folder: a second pytest on this machine would clear that away in the middle.
    folder = Path(tempfile.mkdtemp(prefix='faults-'))
    scene = Scene(folder)
    yield scene
    scene.lab.close()
    shutil.rmtree(folder, ignore_errors=True)


def run_one(trial: Trial, point: str, action: str, number: int) -> str | None:
    if action in KILLS:
        return trial.killed(point, action)
    if action == 'emulator':
        return trial.emulator_killed(point)
    return trial.failed(point, action, restarts=number % 2 == 0)


def actions_for(trial: Trial, point: str, number: int) -> list[str]:
    """After one call is before the next one: only for the last it is not said already. A kind of error is as good as another;
    which one a point gets changes from point to point."""
    if is_reply(point) and not point.startswith('daemon'):
        return ['kill-before']
    is_last = point == trial.points[-1]
    has_emulator = trial.before.get('emulators') or trial.after.get('emulators')
    chosen = ['kill-before', *(['kill-after'] if is_last or not point.startswith('daemon') else [])]
    if ' write ' in point and 'reply' not in point:
        chosen.append('tear')
    if has_emulator:
        chosen += [('kill-before-all', 'kill-after-all')[number % 2], 'emulator']
    if not is_reply(point):
        chosen += [FAILS[number * 2 % len(FAILS)], FAILS[number * 2 % len(FAILS) + 1]]
    return chosen


def run_all(trial: Trial, points: list[str], actions: list[str]) -> list[str]:
    wrong, runs = [], 0
    for number, point in enumerate(points):
        for action in actions or actions_for(trial, point, number):
            if is_reply(point) and action in FAILS:
                continue
            runs += 1
            problem = run_one(trial, point, action, number)
            if problem:
                print(f'--- {trial.name}: {action} at {point}\n{problem}', flush=True)
                wrong.append(f'{action} at {point}')
    print(f'{trial.name}: {len(points)} points, {runs} runs, {trial.missed} not reached, {len(wrong)} wrong', flush=True)
    return wrong


@pytest.mark.skipif(not ALL and not POINT, reason='all points only by hand')
@pytest.mark.parametrize('name', SCENARIOS)
def test_at_every_system_call_it_is_before_or_after(scene, name):
    trial = Trial(scene, name, SCENARIOS[name])
    assert len(trial.points) > 3
    wrong = run_all(trial, [POINT] if POINT else trial.points, ACTIONS)
    assert not wrong, f'{len(wrong)} wrong:\n' + '\n'.join(wrong)


def matters_in_recovery(point: str) -> bool:
    return any(word in point for word in ('/images/', '/journal/', '/snapshot/', '/save/', 'qmp', '/etc/', 'kill', 'pidfd'))


@pytest.mark.skipif(not ALL, reason='all points only by hand')
@pytest.mark.parametrize('name', SCENARIOS)
def test_killed_again_in_the_recovery_it_is_before_or_after(scene, name):
    trial = Trial(scene, name, SCENARIOS[name])
    wrong, runs, seen = [], 0, set()
    for first in trial.points:
        seconds = [point for point in trial.recovery_points(first) if matters_in_recovery(point)]
        if tuple(seconds) in seen:
            continue
        seen.add(tuple(seconds))
        for second in seconds:
            runs += 1
            problem = trial.killed_twice(first, second)
            if problem:
                print(f'--- {problem}', flush=True)
                wrong.append(f'{first}, then {second}')
    print(f'{name}: {len(seen)} recoveries, {runs} runs, {len(wrong)} wrong', flush=True)
    assert not wrong, f'{len(wrong)} wrong:\n' + '\n'.join(wrong)


def seed_of_today() -> str:
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=lab_module.TOP, capture_output=True, text=True)
    return os.environ.get('FAULTS_SEED') or f'{datetime.date.today()}-{commit.stdout.strip()}'


@pytest.mark.skipif(ALL or bool(POINT), reason='all points are run')
def test_at_some_system_calls_it_is_before_or_after(scene):
    seed, end = seed_of_today(), time.monotonic() + SECONDS
    print(f'FAULTS_SEED={seed}', flush=True)
    chooser = random.Random(seed)
    names = list(SCENARIOS)
    chooser.shuffle(names)
    wrong = []
    for name in names:
        if time.monotonic() > end:
            break
        trial = Trial(scene, name, SCENARIOS[name])
        for _ in range(SCENARIO_POINTS):
            number = chooser.randrange(len(trial.points))
            point = trial.points[number]
            action = chooser.choice(actions_for(trial, point, number))
            print(f'{name}: {action} at {point}', flush=True)
            problem = run_one(trial, point, action, number)
            if problem:
                wrong.append(problem)
    assert not wrong, f'FAULTS_SEED={seed}:\n' + '\n'.join(wrong)
