#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sweep of 3 prompt sets x 2 models x 2 temperatures is killed with signal 9 - the core at random
times and at the instants right before and after each durable write, the host processes, both - and run
again: its results equal those of an undisturbed sweep, no request was answered twice, none is lost.

PROMPTSWEEP_FAULTS       how many sweeps are killed (30)
PROMPTSWEEP_TEST_SEED    which instants (fixed, so that a failure can be seen again)
"""
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness

harness.use(sys.argv)
KILLS = int(os.environ.get("PROMPTSWEEP_FAULTS", 30))
SEED = int(os.environ.get("PROMPTSWEEP_TEST_SEED", 20261124))
r = random.Random(SEED)
SWEEP = ("--limit_items", "6", "--temps", "0", "0.7", "--set", "backend_options.deterministic=true", "--run_id", "x")
# Columns that tell when and how an answer came, not what it is.
MAY_DIFFER = ("attempt", "cached", "latency_ms", "request_id")


def rows(folder):
    """All predictions in plan order, by trial."""
    return {name: [{k: v for k, v in row.items() if k not in MAY_DIFFER} for row in harness.predictions(trial)]
            for name, trial in sorted(harness.trials(harness.only_run(folder)).items())}


def start(folder, **environment):
    return subprocess.Popen(harness.command(folder, *SWEEP), cwd=harness.ROOT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **environment})


def instants(folder):
    """The name of every instant of an undisturbed sweep, in order."""
    trace = folder + ".trace"
    harness.run(folder, *SWEEP, environment={"PROMPTSWEEP_FAULT_TRACE": trace})
    return pathlib.Path(trace).read_text().split()


def chosen_instants(names, count):
    """Spread over the kinds of instants, and over the sweep within a kind; the first of each kind is in."""
    by_kind = collections.defaultdict(list)
    for number, name in enumerate(names, 1):
        by_kind[name].append(number)
    out = []
    while len(out) < count:
        for kind in sorted(by_kind):
            if by_kind[kind]:
                at = 0 if kind not in {names[n - 1] for n in out} else r.randrange(len(by_kind[kind]))
                out.append(by_kind[kind].pop(at))
    return r.sample(out, count)


def kill_hosts(core, until):
    while core.poll() is None:
        hosts = harness.host_processes(core.pid)
        if hosts and time.monotonic() >= until:
            for host in hosts:
                try:
                    os.kill(host, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return len(hosts)
        time.sleep(0.002)
    return 0


def disturb(folder, kind, at, length):
    """One sweep, killed. True: it was running then."""
    if kind == "instant":
        return start(folder, PROMPTSWEEP_FAULT_AT=str(at)).wait(timeout=300) == -signal.SIGKILL
    core = start(folder)
    moment = time.monotonic() + r.uniform(0.05, 0.75) * length
    if kind in ("host", "both"):
        met = kill_hosts(core, moment)
    else:
        while time.monotonic() < moment and core.poll() is None:
            time.sleep(0.002)
        met = core.poll() is None
    if kind in ("core", "both"):
        if kind == "both":
            time.sleep(r.choice([0, 0.01, 0.1]))
        core.kill()
    core.wait(timeout=300)
    return bool(met)


with harness.temporary() as root:
    started = time.monotonic()
    names = instants(root + "/undisturbed")
    length = time.monotonic() - started
    wanted = rows(root + "/undisturbed")
    assert len(wanted) == 6, wanted.keys()

    at_instants = KILLS * 6 // 10
    plan = [("instant", at) for at in chosen_instants(names, at_instants)]
    plan += [(kind, None) for kind in ("core", "host", "both") * KILLS][:KILLS - at_instants]
    met = collections.Counter()
    for number, (kind, at) in enumerate(plan):
        folder = f"{root}/{number}"
        what = f"kill {number}: {kind} {names[at - 1] if at else ''} {at or ''}"
        met[kind] += disturb(folder, kind, at, length)
        if number % 5 == 0:  # going on is killed too
            met["again"] += disturb(folder, "core", None, length)
        harness.run(folder, *SWEEP)
        got = rows(folder)
        for trial in wanted:
            assert got[trial] == wanted[trial], f"{what}: {trial} differs from the undisturbed sweep"
        for path in harness.stores(harness.only_run(folder)):
            harness.check_store(path)
        shutil.rmtree(folder)
    print(f"seed {SEED}: {len(plan)} sweeps, {len(names)} instants of {len(set(names))} kinds; "
          f"kills that met a running sweep: {dict(met)}")
    # How often results are committed together depends on the clock, so the last instants may not come.
    assert met["instant"] >= at_instants * 9 // 10, "too many instants were not reached"
    assert met["core"] + met["host"] + met["both"] >= (KILLS - at_instants) // 3
