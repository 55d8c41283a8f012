#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Phase flags, edits under one run id, dry runs, locks and seals, over the echo plugin. The defects
of the original that each part guards against are named: D6, D10, D12, D15, D31, D35, D37, D38, D45, D46."""
import json
import os
import shutil
import tempfile
import time

from echo_project import Project, snapshot

STAGES = ["prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"]


def one_stage_after_another(folder):
    """D37: a phase whose inputs are missing says so; each phase alone; the whole equals one plain run."""
    whole = Project(folder + "/whole")
    whole.run("--run_id", "x")
    steps = Project(folder + "/steps")
    for stage in STAGES[1:]:
        done = steps.run("--run_id", "x", "--only_step", stage, expect=1)
        assert "does not exist yet" in done.stderr, done.stderr
    assert not (steps.folder / "experiments").exists(), "a phase that cannot go made a folder"
    steps.run("--run_id", "x", "--only_step", "prepare")
    assert steps.phases("x")["prepare", "run"] and not steps.phases("x").get(("report", "run"))
    for stage in STAGES[2:]:
        done = steps.run("--run_id", "x", "--only_step", stage, expect=1)
        assert "build, which has not been done yet" in done.stderr, (stage, done.stderr)
        assert json.loads(steps.meta("x", "last_error"))["phase"] == stage
    steps.run("--run_id", "x", "--only_step", "build")
    assert "has sent no request" in steps.run("--run_id", "x", "--only_step", "poll", expect=1).stderr
    assert "no request of this run has been answered" in \
        steps.run("--run_id", "x", "--only_step", "score", expect=1).stderr
    assert steps.sent() == 0
    steps.run("--run_id", "x", "--only_step", "submit")  # local: submit to parse are one step
    assert steps.sent() == 60 and len(steps.predictions("x")["one"]) == 40
    for stage in STAGES[6:]:
        assert "needs scores" in steps.run("--run_id", "x", "--only_step", stage, expect=1).stderr
    for stage in STAGES[3:]:
        assert steps.meta("x", "state") == "incomplete"
        steps.run("--run_id", "x", "--only_step", stage)
    assert steps.meta("x", "state") == "complete" and steps.meta("x", "last_error") == ""
    assert all(steps.phases("x").values())
    assert steps.predictions("x") == whole.predictions("x")
    for name in ("significance.json", "costs.json"):
        assert (steps.place("x") / name).read_text() == (whole.place("x") / name).read_text()
    assert "nothing to do" in steps.run("--run_id", "x").stderr and steps.sent() == 60

    assert "experiments" in steps.run("--run_id", "x", "--force_step", "report").stdout
    before = os.stat(steps.place("x") / "costs.json").st_mtime_ns, os.stat(steps.place("x") / "significance.json").st_mtime_ns
    steps.run("--run_id", "x", "--force_step", "costs")
    assert os.stat(steps.place("x") / "costs.json").st_mtime_ns > before[0]
    assert os.stat(steps.place("x") / "significance.json").st_mtime_ns == before[1]
    steps.run("--run_id", "x", "--force_step", "submit", "--force_step", "score")
    assert steps.sent() == 60, "an answer was asked for again"

    for flags in (("--only_step", "stat"), ("--only_step", "stats", "--to_step", "report"), ("--from_step", "score",
                  "--to_step", "parse"), ("--force_step", "report", "--to_step", "stats"), ("--skip_poll",),
                  ("--resume", "--new")):
        steps.run("--run_id", "y", *flags, expect=2)
    assert not steps.place("y").exists()


def left_out_is_left_out(folder):
    """D38: every --skip_ flag skips, and the next plain run makes what was skipped."""
    outputs = {"parse": "results/predictions.csv", "stats": "results/significance.json",
               "costs": "results/costs.json", "report": "reports/report.md"}
    for stage, file in outputs.items():
        p = Project(f"{folder}/{stage}", items=4)
        p.run("--run_id", "x", f"--skip_{stage}")
        for trial in p.trials("x").values():
            assert not (trial / file).exists(), (stage, trial)
        assert p.meta("x", "state") == "incomplete" and not p.phases("x")[stage, "run" if stage != "parse" else p.trials("x")["one"].name]
        p.run()  # the newest incomplete run of this command: the flag does not make it another command
        for trial in p.trials("x").values():
            assert (trial / file).stat().st_size > 0
        assert p.meta("x", "state") == "complete" and p.sent() == 12
    p = Project(f"{folder}/others", items=4)
    assert "does not exist yet" in p.run("--run_id", "x", "--skip_prepare", expect=1).stderr
    p.run("--run_id", "x", "--skip_build", expect=1)
    assert not p.stores("x"), "build was to be skipped"
    p.run("--run_id", "x", "--to_step", "build")
    p.run("--run_id", "x", "--skip_submit", "--skip_poll", expect=1)
    assert p.sent() == 0
    p.run("--run_id", "x", "--to_step", "parse")
    assert "needs scores" in p.run("--run_id", "x", "--skip_score", expect=1).stderr
    assert not list(p.place("x").glob("*/results/per_item_scores.csv"))
    p.run("--run_id", "x", "--skip_prepare", "--skip_build", "--skip_submit", "--skip_poll", "--skip_parse")
    assert p.meta("x", "state") == "complete" and p.sent() == 12


def edits(folder):
    """D10, D12: an edit makes new arms and trials, visible in the plan, never a stale skip."""
    p = Project(folder)
    p.run("--run_id", "x")
    trials = p.trials("x")
    reports = {name: (t / "reports/report.md").read_bytes() for name, t in trials.items()}

    def states(*arguments):
        plan = json.loads(p.run("--run_id", "x", "--plan_only", "--json", *arguments).stdout)
        return sorted(s["state"] for s in plan["states"]), {s["slug"]: s["state"] for s in plan["states"]}

    assert states()[0] == ["done", "done"]
    p.write("two.txt", "Answer only what you are sure of.")
    assert states()[0] == ["done", "new", "superseded"]
    assert states()[1][trials["two"].name] == "superseded"
    stale = p.run("--run_id", "x", "--from_step", "build", expect=1)
    assert "with other inputs than today's" in stale.stderr
    p.run("--run_id", "x")
    assert p.sent() == 80, "the edited arm, and it alone, is asked"
    now = p.trials("x")
    assert now["one"] == trials["one"] and now["two"] != trials["two"]
    assert (trials["two"] / "reports/report.md").read_bytes() == reports["two"], "the old trial stays"
    assert states()[0] == ["done", "done", "superseded"]

    p.run("--run_id", "x", "--temps", "0.7")  # a decoding value: other arms, other trials
    assert p.sent() == 140
    p.write("instructions.txt", "Reply in one word.")
    p.run("--run_id", "x")
    assert p.sent() == 200
    p.data(21)
    p.run("--run_id", "x")
    assert p.sent() == 263 and len(p.predictions("x")["one"]) == 42
    p.configure(samples=300)  # answers stay, numbers are made anew
    p.run("--run_id", "x")
    assert p.sent() == 263
    family = json.loads((p.trials("x")["one"] / "results/significance.json").read_text())
    assert family["stats_config"]["bootstrap_samples"] == 300
    # So do the rules of scoring and the margins: each makes the phases that it enters anew, and no others.
    hashes = lambda: dict(p.query(p.place("x") / "run.sqlite",
                                  "SELECT phase || subject, input_hash FROM phases WHERE input_hash <> ''"))
    one = p.trials("x")["one"].name
    before = hashes()
    p.run("--run_id", "x", "--set", "stats.tost_margins={em: 0.25}")
    family = json.loads((p.place("x") / one / "results/significance.json").read_text())
    assert "0.25" in json.dumps(family["stats_config"]) and p.sent() == 263, family["stats_config"]
    margins = hashes()
    assert margins["stats" + one] != before["stats" + one] and margins["scorerun"] == before["scorerun"]
    p.run("--run_id", "x", "--set", "abstention.phrases=[Thing]")
    rules = hashes()
    assert all(rules[name] != margins[name] for name in ("scorerun", "stats" + one, "report" + one))
    assert rules["parse" + one] == before["parse" + one] and p.sent() == 263
    text = (p.folder / "sweep.yaml").read_text()
    p.write("sweep.yaml", text.replace("path: q.csv,", "path: q.csv, max_items: 5,"))
    p.run("--run_id", "x")
    assert p.sent() == 278 and len(p.predictions("x")["one"]) == 10
    p.write("sweep.yaml", text)
    # Trials that differ in temperature alone do not share a folder or rows.
    p.run("--run_id", "t", "--temps", "0", "0.2", "0.25")
    rows = p.predictions("t")["one"]
    assert len({r["custom_id"] for r in rows}) == len(rows) == 42 * 3


def broken_statistics(folder):
    """D15: statistics that cannot be written are no result, and are made by the next run."""
    p = Project(folder)
    p.run("--run_id", "x", "--to_step", "score")
    results = p.trials("x")["one"] / "results"
    (results / "significance.json").mkdir()  # nothing can be renamed onto a folder with a file in it
    (results / "significance.json/in_the_way").touch()
    failed = p.run("--run_id", "x", expect=1)
    assert "significance.json" in failed.stderr
    assert not p.phases("x")["stats", p.trials("x")["one"].name]
    error = p.manifest("x")["last_error"]
    assert error["phase"] == "stats" and "significance.json" in error["text"], error
    assert p.meta("x", "state") == "incomplete"
    shutil.rmtree(results / "significance.json")
    p.run("--run_id", "x")
    assert json.loads((results / "significance.json").read_text())["results"]
    assert p.meta("x", "state") == "complete" and p.manifest("x")["last_error"] is None
    # An empty or foreign file is never a result either.
    (results / "significance.json").write_text("{}")
    p.run("--run_id", "x", "--from_step", "stats")
    assert json.loads((results / "significance.json").read_text())["results"]


def manifests_are_exports(folder):
    """D31: the store decides; an unreadable manifest or store is never replaced by an empty one."""
    p = Project(folder)
    p.run("--run_id", "x", "--to_step", "score")
    whole = p.manifest("x")
    for name in ("multi_trial_manifest.json", p.trials("x")["one"].name + "/trial_manifest.json"):
        (p.place("x") / name).write_text("")
    p.run("--run_id", "x")
    assert [t["slug"] for t in p.manifest("x")["trials"]] == [t["slug"] for t in whole["trials"]]
    assert p.sent() == 60
    before = (p.place("x") / "multi_trial_manifest.json").read_bytes()
    store = p.place("x") / "run.sqlite"
    good = store.read_bytes()
    store.write_bytes(good[: len(good) // 2])
    damaged = snapshot(p.place("x"))
    p.run("--run_id", "x", expect=1)
    after = snapshot(p.place("x"))
    assert after["run.sqlite"] == damaged["run.sqlite"] and after["multi_trial_manifest.json"] == before
    store.write_bytes(good)
    p.run("--run_id", "x", "--from_step", "parse")


def dry_runs(folder):
    """D6, D46: a dry run answers every request, says that it measured nothing, and no real run takes a row of it."""
    p = Project(folder, use_secret=True)
    os.environ.pop("ECHO_TOKEN", None)
    done = p.run("--run_id", "x", "--dry_run")
    assert "DRY RUN" in done.stdout.splitlines()[0]
    place = p.place("dryrun_x")
    assert p.sent() == 0 and not p.events.exists() and not p.place("x").exists()
    assert p.counts("dryrun_x") == (60, 60)
    for trial in p.trials("dryrun_x").values():
        assert "nothing was measured" in (trial / "reports/report.md").read_text().splitlines()[0]
        significance = json.loads((trial / "results/significance.json").read_text())
        assert "dry_run" in [c["code"] for c in significance["caveats"]]
    assert "nothing was measured" in (place / "aggregate_report.md").read_text().splitlines()[0]
    assert not (p.folder / "experiments/throughput.json").exists()
    rows = p.predictions("dryrun_x")["one"]
    assert len(rows) == 40 and all(r["response_text"].startswith("[dry run] ") for r in rows)
    assert {p.query(s, "SELECT value FROM meta WHERE key = 'engine_identity'")[0][0] for s in p.stores("dryrun_x")} == \
        {'{"engine":"dry-run"}'}
    assert any(line.split()[:2] == ["dryrun_x", "complete"] for line in p.program("list").stdout.splitlines())
    assert "dry runs" in p.run("--run_id", "dryrun_x", expect=2).stderr
    assert "nothing to do" in p.run("--run_id", "x", "--dry_run").stderr

    p.configure()  # the real run of the same id asks everything
    p.run("--run_id", "x")
    assert p.sent() == 60 and p.counts("x") == (60, 60)
    assert not any("dry run" in r["response_text"] for rows in p.predictions("x").values() for r in rows)
    arms = lambda run: {s.parent.name for s in p.stores(run)}
    assert not arms("x") & arms("dryrun_x")
    # Without a run id, neither kind continues the other.
    p.run("--to_step", "build", "--dry_run")
    p.run()
    assert p.sent() == 120
    # No plugin is needed.
    p.call([c for c in p.command("--dry_run", "--new", "--quiet") if c != "--backend_path" and "backends" not in c], 0)


def plans_write_nothing(folder):
    """D45."""
    p = Project(folder)
    p.run("--run_id", "x", "--plan_only")
    p.program("plan", "--config", "sweep.yaml", "--backend_path", p.command()[5], "--run_id", "x")
    assert not (p.folder / "experiments").exists()
    p.run("--run_id", "x")
    before = snapshot(p.place("x"))
    p.configure(samples=500)
    p.run("--run_id", "x", "--plan_only")
    p.program("plan", "--config", "sweep.yaml", "--backend_path", p.command()[5], "--run_id", "x")
    assert snapshot(p.place("x")) == before


def one_writer_and_seals(folder):
    """D35: the second process on a run is refused and told who holds it. Sealed runs take nothing."""
    p = Project(folder, delay_ms=100)
    first = p.start("--run_id", "x")
    while not p.stores("x"):
        time.sleep(0.01)
    refused = p.run("--run_id", "x", expect=1)
    assert f"pid {first.pid} on host" in refused.stderr, refused.stderr
    p.run("--run_id", "other", "--limit_items", "2")
    assert first.wait(timeout=60) == 0
    assert p.counts("x") == (60, 60) and p.sent() == 66

    p.configure()
    p.run("--run_id", "s", "--archive")
    assert (p.place("s") / "SHA256SUMS").exists() and p.meta("s", "state") == "sealed"
    before, sent = snapshot(p.place("s")), p.sent()
    for flags in ((), ("--archive",), ("--from_step", "stats")):
        assert "nothing to do" in p.run("--run_id", "s", *flags).stderr
    p.write("two.txt", "Something else.")
    for flags in ((), ("--only_step", "report")):
        refused = p.run("--run_id", "s", *flags, expect=2)
        assert "--reuse all" in refused.stderr, refused.stderr
    assert snapshot(p.place("s")) == before and p.sent() == sent
    # A complete run is sealed by the same command with --archive.
    p.run("--run_id", "late")
    p.run("--run_id", "late", "--archive")
    assert p.meta("late", "state") == "sealed"


for part in (one_stage_after_another, left_out_is_left_out, edits, broken_statistics, manifests_are_exports, dry_runs,
             plans_write_nothing, one_writer_and_seals):
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        part(place)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
