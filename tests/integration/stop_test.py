#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and promptsweep stop at random moments: exit 130 within 5 s, and the continued run equals the
undisturbed one. A second Ctrl-C leaves at once while a job hangs. D40: a left-over request stops nobody."""
import os
import random
import signal
import tempfile
import time

from echo_project import Project, children, is_alive

SEED = int(os.environ.get("PROMPTSWEEP_TEST_SEED", random.randrange(1 << 30)))
print(f"seed {SEED}")
r = random.Random(SEED)
OPTIONS = {"delay_ms": 6, "create_delay_ms": 100, "n_parallel": 2}


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def host_is_gone(hosts):
    wait_for(lambda: not any(is_alive(h) for h in hosts), 5)


def continued_equals(p, wanted):
    p.run("--run_id", "x")
    assert p.counts("x") == (60, 60) and p.meta("x", "state") == "complete"
    assert p.predictions("x") == wanted


def ctrl_c_at_random_moments(folder, wanted, length, rounds=20):
    cut = 0
    for number in range(rounds):
        p = Project(f"{folder}/c{number}", **OPTIONS)
        process = p.start("--run_id", "x")
        # Before main() begins there is no handler; the time from there on is the program's.
        time.sleep(r.uniform(0.02, length))
        hosts = children(process.pid)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, errors = process.communicate(timeout=30)
        took = time.monotonic() - asked
        assert process.returncode in (0, 130, -2) and took < 5, (number, process.returncode, took, errors)
        assert process.returncode != -2 or not p.place("x").exists(), errors
        cut += process.returncode == 130
        if process.returncode == 0:
            length *= 0.9  # the machine has become faster since the length was measured
        host_is_gone(hosts)
        continued_equals(p, wanted)
    print(f"{cut} of {rounds} interrupts met a run that was not over")
    assert cut >= rounds // 2


def stop_from_another_terminal(folder, wanted, length, rounds=5):
    for number in range(rounds):
        p = Project(f"{folder}/s{number}", **{**OPTIONS, "delay_ms": 30})
        process = p.start("--run_id", "x")
        wait_for(lambda: p.stores("x"))
        time.sleep(r.uniform(0, length / 2))
        asked = time.monotonic()
        done = p.program("stop", "x", *(("--cancel_remote",) if number == 0 else ()))
        took = time.monotonic() - asked
        assert f"asking pid {process.pid}" in done.stderr and "run x is incomplete" in done.stdout, done
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130 and took < 5, (process.returncode, took, errors)
        assert "promptsweep resume x" in errors, errors
        assert not (p.place("x") / ".stop.lock").exists()
        continued_equals(p, wanted)
    again = p.program("stop", "x")
    assert "no process works on this run" in again.stderr and "complete: 60 of 60" in again.stdout
    p.program("stop", "none", expect=2)
    # What an earlier holder was asked is nothing to the next one.
    (p.place("x") / ".stop.lock").write_text((p.place("x") / ".run.lock").read_text())
    p.run("--run_id", "x", "--from_step", "parse")


def a_hanging_job(folder, wanted):
    for signals in (1, 2):
        p = Project(f"{folder}/h{signals}", failures=[{"kind": "hang", "nth": 7}])
        process = p.start("--run_id", "x")
        wait_for(lambda: p.stores("x") and sum(p.query(s, "SELECT count(*) FROM results")[0][0] for s in p.stores("x")))
        hosts = children(process.pid)
        assert hosts
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        if signals == 2:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            asked = time.monotonic()
        _, errors = process.communicate(timeout=30)
        took = time.monotonic() - asked
        assert process.returncode == 130 and took < (5 if signals == 1 else 0.5), (signals, took, errors)
        host_is_gone(hosts)
        p.configure()
        continued_equals(p, wanted)


with tempfile.TemporaryDirectory() as folder:
    undisturbed = Project(folder + "/undisturbed", **OPTIONS)
    begun = time.monotonic()
    undisturbed.run("--run_id", "x")
    length = time.monotonic() - begun
    wanted = undisturbed.predictions("x")
    ctrl_c_at_random_moments(folder, wanted, length)
    stop_from_another_terminal(folder, wanted, length)
    a_hanging_job(folder, wanted)
