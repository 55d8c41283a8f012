#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Interrupted and killed runs, and promptsweep resume, over the echo plugin. Guards against D5 (unfinished
work declared finished), D7 (a partial control taken for a complete one), D24 (resume forgets the command line),
D26 (answers in memory until their job ends), D36 (jobs lose their place when a run is continued in parts),
D40 (left-over stop requests, lasting errors)."""
import json
import pathlib
import signal
import tempfile
import time

from echo_project import Project


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def answered(p, run_id, condition):
    """Accepted results of the arms of one condition; 0 while their stores are not there."""
    total = 0
    for store in p.stores(run_id):
        is_control = store.parent.parent.name == "shared_controls"
        if is_control == (condition == "control"):
            total += p.query(store, "SELECT count(*) FROM results")[0][0]
    return total


def some_of_the_control(p):
    try:
        return 0 < answered(p, "x", "control") < 20
    except Exception:
        return False


def unfinished_work_is_unfinished(folder):
    """D5, D7: interrupted or killed while the control runs; the next run makes all that is missing, once."""
    undisturbed = Project(folder + "/undisturbed")
    undisturbed.run("--run_id", "x")
    for number, deadly in enumerate((signal.SIGINT, signal.SIGKILL, signal.SIGTERM)):
        p = Project(f"{folder}/{number}", delay_ms=15)
        process = p.start("--run_id", "x", "--set", "order=blocked")
        wait_for(lambda: some_of_the_control(p))
        process.send_signal(deadly)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == (-9 if deadly == signal.SIGKILL else 130), errors
        if deadly != signal.SIGKILL:
            assert "requests answered; in flight: nothing" in errors and "promptsweep resume x" in errors, errors
        expected, accepted = p.counts("x")
        assert expected == 60 and 0 < accepted < 20, (expected, accepted)
        assert p.meta("x", "state") == "incomplete"
        phases = p.phases("x")
        assert not any(phases.get((stage, "run")) for stage in ("submit", "poll", "score", "report")), phases
        assert not list(p.place("x").glob("**/predictions.csv")), "results of an interrupted run"
        # A later stage alone does not take the part for the whole.
        p.run("--run_id", "x", "--set", "order=blocked", "--only_step", "poll", expect=1)
        p.run("--run_id", "x", "--set", "order=blocked", "--skip_submit", expect=1)
        assert p.meta("x", "state") == "incomplete" and p.counts("x")[1] == accepted
        assert "**incomplete**" in (p.place("x") / "aggregate_report.md").read_text()
        p.run("--set", "order=blocked")
        assert p.counts("x") == (60, 60) and p.meta("x", "state") == "complete"
        assert p.predictions("x") == undisturbed.predictions("x")
        for name, trial in p.trials("x").items():
            reference = undisturbed.trials("x")[name] / "results/significance.json"
            assert (trial / "results/significance.json").read_text() == reference.read_text()


def answers_are_kept_as_they_come(folder):
    """D26: a kill in the middle of one large job costs no answer that had come, and none is asked for again."""
    p = Project(folder, delay_ms=30)
    one_job = ("--run_id", "x", "--set", "block_size=100", "--set", "order=blocked", "--prompt_sets", "one")
    process = p.start(*one_job)
    wait_for(lambda: some_of_the_control(p))
    process.kill()
    process.communicate(timeout=20)
    jobs = [job for s in p.stores("x") for job in p.query(s, "SELECT request_count, state FROM jobs")]
    assert [n for n, state in jobs if state != "terminal"] == [20] and len(jobs) == 1, jobs
    kept = p.counts("x")[1]
    assert 0 < kept < 20 and p.sent() == 20
    p.run(*one_job)
    assert p.counts("x") == (40, 40) and p.sent() == 20 + (20 - kept) + 20


def a_failed_engine_is_a_failure(folder):
    """D5: what the backend did not answer makes the exit code 1 and is asked again; the error is told (D40)."""
    p = Project(folder, create_error="auth")
    failed = p.run("--run_id", "x", expect=1)
    assert "not allowed" in failed.stderr, failed.stderr
    assert "not allowed" in p.manifest("x")["last_error"]["text"] and p.meta("x", "state") == "incomplete"
    p.configure(failures=[{"kind": "error_backend", "every": 4}])
    partial = p.run("--run_id", "x", expect=1)
    assert "within the retry budget" in partial.stderr, partial.stderr
    assert 0 < p.counts("x")[1] < 60 and "retry budget" in p.manifest("x")["last_error"]["text"]
    p.configure()
    p.run("--run_id", "x")
    assert p.counts("x") == (60, 60) and p.manifest("x")["last_error"] is None


def jobs_keep_their_place(folder):
    """D36: a run in many small jobs, cut off again and again: every request in one open job, once answered."""
    p = Project(folder, delay_ms=4)
    for _ in range(30):
        process = p.start("--run_id", "x", "--lines_per_part", "3")
        time.sleep(0.15)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        if process.returncode == 0:
            break
    p.run("--run_id", "x", "--lines_per_part", "3")
    assert p.counts("x") == (60, 60)
    for store in p.stores("x"):
        jobs = p.query(store, "SELECT job_id, request_count, state FROM jobs")
        assert len(jobs) >= 7 and all(n <= 3 and state == "terminal" for _, n, state in jobs)
        for job, count, _ in jobs:
            lines = p.query(store, f"SELECT line FROM job_requests WHERE job_id = '{job}' ORDER BY line")
            assert [line for line, in lines] == list(range(count))
    ids = [row["custom_id"] for row in p.predictions("x")["one"]]
    assert len(set(ids)) == len(ids) == 40


def resume_remembers_everything(folder):
    """D24: every override, the experiments folder and the working directory are the original ones."""
    p = Project(folder + "/project", delay_ms=10)
    elsewhere = pathlib.Path(folder) / "elsewhere"
    elsewhere.mkdir()
    narrow = ("--prompt_sets", "one", "--condition", "treatment", "--limit-items", "9", "--set",
              "paths.experiments_dir=kept", "--lines_per_part=2", "--archive")
    process = p.start(*narrow)
    place = p.folder / "kept"
    wait_for(lambda: list(place.glob("run_*/*/arms/*/arm.sqlite")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    run = next(place.glob("run_*"))
    assert f"promptsweep resume {run.relative_to(p.folder)}" in errors, errors
    p.program("resume", str(run), "--quiet", cwd=elsewhere)
    assert not list(elsewhere.iterdir()) and not (p.folder / "experiments").exists()
    stores = list(run.glob("**/arm.sqlite"))
    assert len(stores) == 1, "one prompt set, the treatment alone"
    assert p.query(stores[0], "SELECT count(*) FROM results") == [(9,)]
    assert max(n for n, in p.query(stores[0], "SELECT request_count FROM jobs")) <= 2
    assert (run / "SHA256SUMS").exists(), "--archive belongs to the command line"
    assert "nothing to do" in p.program("resume", str(run), cwd=elsewhere).stderr
    sent = p.sent()

    # By id, with phase flags of its own; and from --run.
    p.configure()
    p.run("--run_id", "x", "--limit_items", "6", "--to_step", "build")
    p.program("resume", "x", "--to_step", "parse", "--quiet")
    assert p.counts("x") == (18, 18) and p.meta("x", "state") == "incomplete"
    p.program("resume", "x", "--experiments_dir", str(p.folder / "experiments"), "--json", cwd=elsewhere)
    assert p.meta("x", "state") == "complete" and p.sent() == sent + 18
    for wrong in (("resume",), ("resume", "none"), ("resume", "x", "--models", "m")):
        p.program(*wrong, expect=2)

    assert "nothing to resume" in p.run("--resume", "--limit_items", "3", expect=2).stderr
    assert "nothing to resume" in p.run("--resume", "--run_id", "none", expect=2).stderr
    assert "nothing to do" in p.run("--resume", "--run_id", "x", "--limit_items", "6").stderr
    p.run("--limit_items", "3", "--to_step", "build")
    p.run("--resume", "--limit_items", "3")


def resume_refuses_what_changed(folder):
    p = Project(folder)
    p.run("--run_id", "x", "--to_step", "build")
    changes = {"one.txt": "the prompt one.txt was edited", "instructions.txt": "the task instructions",
               "q.csv": "the data are not the same: q.csv", "sweep.yaml": "says something else"}
    for name, sentence in changes.items():
        original = (p.folder / name).read_text()
        text = original.replace("200", "100") if name == "sweep.yaml" else original + "i99,More?,Yes\n"
        (p.folder / name).write_text(text)
        refused = p.program("resume", "x", expect=2)
        assert sentence in refused.stderr and "--run_id x" in refused.stderr, refused.stderr
        assert all(other in sentence or other not in refused.stderr for other in changes.values()), refused.stderr
        if name == "sweep.yaml":  # inputs as they were: the recorded configuration will do
            p.program("resume", "x", "--recorded_config", "--to_step", "score")
            assert p.counts("x") == (60, 60)
        (p.folder / name).write_text(original)
    (p.folder / "sweep.yaml").write_text("# a comment changes nothing\n" + (p.folder / "sweep.yaml").read_text())
    p.program("resume", "x")
    assert p.meta("x", "state") == "complete" and p.sent() == 60
    family = json.loads((p.trials("x")["one"] / "results/significance.json").read_text())
    assert family["stats_config"]["bootstrap_samples"] == 200


for part in (unfinished_work_is_unfinished, answers_are_kept_as_they_come, a_failed_engine_is_a_failure, jobs_keep_their_place,
             resume_remembers_everything, resume_refuses_what_changed):
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        part(place)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
