#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs at a provider (echo_remote, whose provider is a folder) outlive the process that made them. D21, D28:
however the core or the plugin's process dies, a resumed run attaches to what exists, and every request
is paid once. The ledger is what the provider was sent: jobs/*/requests.jsonl."""
import collections
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

from echo_project import Project, children

SEED = int(os.environ.get("PROMPTSWEEP_TEST_SEED", random.randrange(1 << 30)))
print("seed", SEED)
r = random.Random(SEED)
ITEMS = 12
ARMS = 3


class RemoteProject(Project):
    def __init__(self, folder, **options):
        self.provider = pathlib.Path(folder).absolute() / "provider"
        super().__init__(folder, items=ITEMS, **options)

    def configure(self, samples=200, **options):
        super().configure(samples, remote_folder=str(self.provider), **options)
        text = (self.folder / "sweep.yaml").read_text()
        (self.folder / "sweep.yaml").write_text(text.replace("backend: echo\n", "backend: echo_remote\n"))

    def jobs(self):
        return sorted(self.provider.glob("jobs/job-*"))

    def paid(self):
        """How often each request was sent to the provider."""
        return collections.Counter(json.loads(line)["request_id"] for job in self.jobs()
                                   for line in (job / "requests.jsonl").read_text().splitlines())

    def answers(self, run_id):
        return {name: [{k: v for k, v in row.items() if k != "request_id"} for row in rows]
                for name, rows in self.predictions(run_id).items()}


def check(project, wanted, what):
    assert project.counts("x") == (ARMS * ITEMS, ARMS * ITEMS), (what, project.counts("x"))
    assert project.answers("x") == wanted, f"{what}: the results differ from the undisturbed run"
    paid = project.paid()
    assert len(paid) == ARMS * ITEMS and set(paid.values()) == {1}, (what, paid.most_common(3))


def kill(process):
    """The core and the processes of its plugins, as when the machine goes down."""
    hosts = children(process.pid)
    process.kill()
    for host in hosts:
        try:
            os.kill(host, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait(timeout=30)


def the_core_dies_at_every_instant_around_a_submission(folder, wanted):
    trace = f"{folder}/trace"
    p = RemoteProject(f"{folder}/traced")
    p.call(["env", f"PROMPTSWEEP_FAULT_TRACE={trace}", *p.command("--quiet", "--run_id", "x")], 0)
    names = pathlib.Path(trace).read_text().split()
    around = [n for n, name in enumerate(names, 1) if name.startswith("submit")]
    close = sorted({n + d for n in around for d in (-2, -1, 0, 1, 2) if 0 < n + d <= len(names)})
    for number, at in enumerate(r.sample(close, min(12, len(close)))):
        p = RemoteProject(f"{folder}/instant{number}")
        p.call(["env", f"PROMPTSWEEP_FAULT_AT={at}", *p.command("--quiet", "--run_id", "x")], -signal.SIGKILL)
        p.program("resume", "x", "--quiet")
        check(p, wanted, f"killed at instant {at}, {names[at - 1]}")


def the_plugin_dies_at_each_step(folder, wanted):
    for kind in ("kill_before_create", "kill_after_create", "kill_after_checkpoint", "kill_before_results"):
        p = RemoteProject(f"{folder}/{kind}", remote_failures=[{"kind": kind, "job": 2, "times": 1}])
        p.run("--run_id", "x")
        check(p, wanted, kind)


def the_machine_goes_down(folder, wanted):
    for number in range(3):
        p = RemoteProject(f"{folder}/down{number}", remote_speed=20)
        process = p.start("--run_id", "x")
        deadline = time.monotonic() + 30
        while not p.jobs() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(r.uniform(0, 0.3))
        kill(process)
        time.sleep(r.choice([0, 0.5]))  # the provider goes on meanwhile
        p.program("resume", "x", "--quiet")
        check(p, wanted, "after the machine was down")


def a_stop_leaves_jobs_running(folder, wanted):
    p = RemoteProject(f"{folder}/stop", remote_speed=100)
    process = p.start("--run_id", "x")
    deadline = time.monotonic() + 30
    while len(p.jobs()) < ARMS and time.monotonic() < deadline:
        time.sleep(0.01)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - asked < 5, errors
    assert "left running at the provider" in errors and "promptsweep resume x" in errors, errors
    assert not list(p.provider.glob("jobs/*/cancelled"))
    status = json.loads(p.program("status", "x", "--json").stdout)
    assert status["state"] == "incomplete", status
    p.program("resume", "x", "--quiet")
    check(p, wanted, "after a stop")


def submit_and_poll_are_two_steps(folder, wanted):
    p = RemoteProject(f"{folder}/steps", remote_speed=50)
    p.run("--run_id", "x", "--to_step", "submit")
    assert len(p.jobs()) == ARMS
    assert p.counts("x")[1] < ARMS * ITEMS
    p.run("--run_id", "x", "--only_step", "poll")
    assert p.counts("x")[1] == ARMS * ITEMS
    p.run("--run_id", "x")
    check(p, wanted, "in two steps")


def jobs_are_cancelled_on_request(folder, wanted):
    p = RemoteProject(f"{folder}/cancel", remote_speed=1000)
    p.run("--run_id", "x", "--to_step", "submit")
    p.program("stop", "x", "--cancel_remote")
    assert len(list(p.provider.glob("jobs/*/cancelled"))) == ARMS
    expected, accepted = p.counts("x")
    p.configure()  # a faster provider
    p.run("--run_id", "x", expect=0)
    assert p.answers("x") == wanted
    # Paid again is what had no answer when its job was cancelled, and nothing else.
    again = sum(times - 1 for times in p.paid().values())
    assert again == expected - accepted, (again, expected, accepted)


def rows_that_a_provider_loses_or_repeats(folder, wanted):
    p = RemoteProject(f"{folder}/lost", failures=[{"kind": "lose", "index": 3, "times": 1}])
    p.run("--run_id", "x")
    assert p.answers("x") == wanted
    assert sorted(p.paid().values())[-1] == 2  # asked again: there was no answer
    p = RemoteProject(f"{folder}/twice", failures=[{"kind": "duplicate", "every": 2}])
    p.run("--run_id", "x")
    check(p, wanted, "rows twice")


# D27: what a job had finished when it expired is kept, the rest is asked again.
def an_expired_job_keeps_what_it_had(folder, wanted):
    p = RemoteProject(f"{folder}/expired", remote_failures=[{"kind": "expire", "job": 1, "times": 1}])
    p.run("--run_id", "x")
    assert p.answers("x") == wanted
    assert sum(times - 1 for times in p.paid().values()) == ITEMS // 2


# D29: a job that the provider cancels is over; nothing waits for it for ever.
def a_job_that_the_provider_cancels_or_fails_is_over(folder, wanted):
    for kind in ("cancel", "fail"):
        p = RemoteProject(f"{folder}/{kind}", remote_failures=[{"kind": kind, "job": 1, "times": 1}])
        p.run("--run_id", "x")
        assert p.answers("x") == wanted


with tempfile.TemporaryDirectory() as place:
    undisturbed = RemoteProject(place + "/undisturbed")
    undisturbed.run("--run_id", "x")
    expected = undisturbed.answers("x")
    check(undisturbed, expected, "undisturbed")
    for part in (the_core_dies_at_every_instant_around_a_submission, the_plugin_dies_at_each_step,
                 the_machine_goes_down, a_stop_leaves_jobs_running, submit_and_poll_are_two_steps,
                 jobs_are_cancelled_on_request, rows_that_a_provider_loses_or_repeats,
                 an_expired_job_keeps_what_it_had, a_job_that_the_provider_cancels_or_fails_is_over):
        begun = time.monotonic()
        part(place, expected)
        print(f"{part.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
