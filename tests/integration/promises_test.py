#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the program says of a run holds, and no run gets stuck: widened and narrowed commands, cut-off plans
and seals, what a killed process leaves, removed trials, and jobs at a provider that several runs share."""
import json
import sqlite3
import tempfile
import time

import echo_project
from echo_project import Project


class RemoteProject(Project):
    def configure(self, samples=200, **options):
        options = {"mode": "policy", "event_log": str(self.events), "remote_folder": str(self.folder / "remote"), **options}
        text = echo_project.CONFIG.replace("backend: echo", "backend: echo_remote")
        self.write("sweep.yaml", text.format(options=json.dumps(options), samples=samples))

    def jobs(self):
        return list((self.folder / "remote/jobs").iterdir())


def set_state(p, state):
    db = sqlite3.connect(p.place("x") / "run.sqlite")
    db.execute("UPDATE meta SET value = ? WHERE key = 'state'", (state,))
    db.commit()
    db.close()


def another_temperature_keeps_the_first(folder):
    """Its trial has another name; the arms of the first temperature stay where they are."""
    p = Project(folder)
    p.run("--run_id", "x", "--temps", "0.0")
    p.run("--run_id", "x", "--temps", "0.0", "0.5")
    assert p.sent() == 120 and p.meta("x", "state") == "complete"
    assert "nothing to do" in p.run("--run_id", "x", "--temps", "0.0", "0.5").stderr
    p.program("verify", "x")


def complete_means_every_trial(folder):
    """A command that asks for one prompt set does not complete, or seal, a run that has two."""
    p = Project(folder)
    p.run("--run_id", "x", "--to_step", "build")
    narrow = p.run("--run_id", "x", "--prompt_sets", "one")
    assert "other trials of the run are not" in narrow.stderr, narrow.stderr
    assert p.meta("x", "state") == "incomplete" and p.counts("x") == (60, 40)
    p.program("archive", "x", expect=1)
    p.run("--run_id", "x", "--prompt_sets", "one", "--archive", expect=1)
    assert not (p.place("x") / "SHA256SUMS").exists()
    p.run("--run_id", "x", "--archive")
    assert p.counts("x") == (60, 60) and (p.place("x") / "SHA256SUMS").exists()


def an_edit_replaces_what_was_edited(folder):
    """An edited prompt, run alone: the other prompt set is neither replaced nor out of the tables."""
    p = Project(folder)
    p.run("--run_id", "x")
    p.write("one.txt", "Another text.")
    p.run("--run_id", "x", "--prompt_sets", "one")
    assert sorted(p.trials("x")) == ["one", "two"] and p.sent() == 80
    assert sum(t["superseded"] for t in p.manifest("x")["trials"]) == 1
    p.program("verify", "x")


def a_cut_off_plan_is_gone_on_with(folder):
    """Killed between a new plan and all else, a run that was complete has work to do."""
    p = Project(folder)
    p.run("--run_id", "x")
    p.write("one.txt", "Another text.")
    p.run("--run_id", "x", "--to_step", "prepare")
    set_state(p, "complete")
    p.run("--run_id", "x")
    assert p.counts("x") == (80, 80) and p.meta("x", "state") == "complete"


def a_cut_off_seal_is_finished(folder):
    p = Project(folder)
    p.run("--run_id", "x")
    set_state(p, "sealed")
    p.run("--run_id", "x", "--archive")
    p.program("verify", "x")
    assert (p.place("x") / "SHA256SUMS").exists()


def nothing_is_left_of_a_killed_process(folder):
    p = Project(folder, delay_ms=15)
    process = p.start("--run_id", "x", "--lines_per_part", "4")
    deadline = time.monotonic() + 20
    while not list(p.place("x").glob("**/jobs/*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    p.run("--run_id", "x")
    assert not list(p.place("x").glob("**/*.jsonl"))
    # An empty log, as a reader of another program leaves it, is no reason to refuse.
    for store in [*p.stores("x"), p.place("x") / "run.sqlite"]:
        store.with_name(store.name + "-wal").touch()
    p.program("verify", "x")


def removed_trials_leave_reports_to_make(folder):
    p = Project(folder)
    p.run("--run_id", "x")
    p.run("--run_id", "x", "--limit_items", "5")
    p.program("clean", "x", "--superseded", "--yes")
    assert p.meta("x", "state") == "incomplete"
    p.run("--run_id", "x", "--limit_items", "5")
    assert p.meta("x", "state") == "complete" and p.sent() == 75
    p.program("verify", "x")


def a_dry_run_can_be_verified(folder):
    p = Project(folder)
    p.run("--run_id", "x", "--dry_run")
    p.program("verify", "dryrun_x")


def runs_at_one_provider(folder):
    """Without --reuse a second run asks for itself, though the provider still has the jobs of the first."""
    p = RemoteProject(folder)
    p.run("--run_id", "x")
    p.run("--run_id", "y")
    assert p.sent() == 120 and len(p.jobs()) == 6


def jobs_of_replaced_trials_are_cancelled(folder):
    p = RemoteProject(folder, remote_speed=3000)
    p.run("--run_id", "x", "--to_step", "submit")
    p.write("one.txt", "Another text.")
    again = p.run("--run_id", "x", "--to_step", "submit")
    assert "checkpoint" not in again.stderr, again.stderr
    assert len(p.jobs()) == 4
    p.program("stop", "x", "--cancel_remote")
    assert all((job / "cancelled").exists() for job in p.jobs())
    assert not any(p.query(s, "SELECT 1 FROM jobs WHERE state <> 'terminal'") for s in p.stores("x"))


for part in (another_temperature_keeps_the_first, complete_means_every_trial,
             an_edit_replaces_what_was_edited, a_cut_off_plan_is_gone_on_with,
             a_cut_off_seal_is_finished, nothing_is_left_of_a_killed_process, removed_trials_leave_reports_to_make,
             a_dry_run_can_be_verified, runs_at_one_provider, jobs_of_replaced_trials_are_cancelled):
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        part(place)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
