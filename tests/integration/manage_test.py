#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that manage runs, on complete, incomplete, superseded, running, sealed and damaged
runs of the echo backend."""
import csv
import fcntl
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM, ROOT, BACKENDS = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
TEMPORARY = tempfile.TemporaryDirectory()
WORK = pathlib.Path(TEMPORARY.name)
RUNS = WORK / "experiments"


def call(*arguments, expect=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def there(command, *arguments, expect=0):
    return call(command, *arguments, "--experiments_dir", RUNS, expect=expect)


def as_json(command, *arguments, expect=0):
    return json.loads(there(command, *arguments, "--json", expect=expect).stdout)


def sweep(run_id, *arguments, items=12, expect=0):
    return call("run", "--config", WORK / "sweep.yaml", "--backend_path", BACKENDS, "--limit_items", items,
                "--run_id", run_id, "--quiet", *arguments, expect=expect)


def folder(run_id):
    return RUNS / f"run_{run_id}"


def snapshot(path):
    return {str(p.relative_to(path)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
            for p in sorted(path.rglob("*")) if p.is_file() and p.suffix != ".lock"}


def sentence(done, *parts):
    """One line on stderr that says all of it."""
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr, (part, done.stderr)


class Lock:
    """Holds a run's writer lock as a running sweep does."""

    def __init__(self, run_id):
        self.file = open(folder(run_id) / ".run.lock", "r+")

    def __enter__(self):
        fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.file.truncate(0)
        self.file.write("pid 4242 on host elsewhere\n")
        self.file.flush()
        return self

    def __exit__(self, *_):
        self.file.close()


PROMPTS = ROOT / "config/prompts/demo"
for name in ("control", "full_treatment", "half_dose"):
    shutil.copy(PROMPTS / f"{name}.txt", WORK)
(WORK / "sweep.yaml").write_text(f"""
backend: echo
backend_options: {{mode: policy, n_parallel: 4}}
models: [one]
temps: [0.0]
prompt_sets:
  a: {{control: {WORK}/control.txt, treatment: {WORK}/full_treatment.txt}}
  b: {{control: {WORK}/control.txt, treatment: {WORK}/half_dose.txt}}
task_instructions: {{open_book: config/task_instructions/demo/open_book.txt, closed_book: config/task_instructions/demo/closed_book.txt}}
datasets:
  - {{name: demo_closed, task: closed_book, format: prepared, path: config/datasets/demo_closed_book.jsonl}}
  - {{name: demo_open, task: open_book, format: prepared, path: config/datasets/demo_open_book.jsonl}}
sweep: {{prompt_sets: [a, b]}}
paths: {{experiments_dir: {RUNS}}}
stats: {{bootstrap_samples: 200, permutation_samples: 200}}
""")

# --- nothing there yet
assert "there are no runs" in there("list").stderr
assert as_json("list") == []
sentence(there("status", expect=2), "there is no run in")
sentence(there("show", "x", expect=2), 'no run "x"', "it holds no runs")
assert "nothing to remove" in there("clean").stdout

# --- a complete run, one that lacks answers, one whose prompt was edited, one that is no run
sweep("whole")
sweep("gappy", "--set", "backend_options.failures=[{every: 4, kind: error_backend}]",
      "--set", "retries=0", items=24, expect=1)
sweep("edited")
with open(WORK / "half_dose.txt", "a") as file:
    file.write("Be brief.\n")
sweep("edited")
broken = folder("broken")
broken.mkdir()
(broken / "run.sqlite").write_text("not a database")

# --- list: D39, a finished run is never shown as not started
listed = {run["run_id"]: run for run in as_json("list")}
assert {i: r["state"] for i, r in listed.items()} == {
    "whole": "complete", "gappy": "incomplete", "edited": "complete", "broken": "unreadable"}, listed
assert listed["whole"]["requests"]["done"] == listed["whole"]["requests"]["expected"] == 36
assert listed["whole"]["trials"] == {"complete": 2, "expected": 2}
assert listed["edited"]["trials"] == {"complete": 2, "expected": 2}, "a superseded trial is counted"
assert listed["edited"]["requests"]["expected"] == 36
gaps = listed["gappy"]["requests"]
assert 0 < gaps["done"] < gaps["expected"] == 72 and listed["gappy"]["trials"]["complete"] < 2
assert listed["broken"]["requests"] is None and "run.sqlite" in listed["broken"]["problem"]
table = there("list")
assert "not_started" not in table.stdout and "36/36" in table.stdout and "broken" in table.stderr
assert call("list", "--config", WORK / "sweep.yaml").stdout == table.stdout

# --- status: of a run by id, by folder, by folder name, the newest one, a running one
status = as_json("status", "gappy")
assert status["state"] == "incomplete" and status["running_by"] is None
assert status["requests"] == gaps and "resume" in status["next"]
assert {t["state"] for t in status["trials"]} == {"incomplete"}
assert [e["model_id"] for e in status["engines"]] == ["one"]
assert json.loads(call("status", folder("gappy"), "--json").stdout) == status
assert as_json("status", "run_gappy") == status
assert there("status").stdout == there("status", "edited").stdout
assert f"{gaps['done']}/72" in there("status", "gappy").stdout
with Lock("gappy"):
    running = as_json("status", "gappy")
    assert running["state"] == "running" and running["running_by"] == "pid 4242 on host elsewhere"
    assert running["recorded_state"] == "incomplete" and "stop" in running["next"]
    assert {r["run_id"]: r["state"] for r in as_json("list")}["gappy"] == "running"
assert as_json("status", "gappy")["state"] == "incomplete", "looking changed something"
sentence(there("status", "broken", expect=1), "run.sqlite")
sentence(there("status", "nowhere", expect=2), 'no run "nowhere"', "whole")
sentence(call("status", ROOT / "config", expect=2), "no run's folder")

# --- show
shown = as_json("show", "edited")
assert [t["state"] for t in shown["trials"]].count("superseded") == 1
assert sorted(a["superseded"] for a in shown["arms"]) == [False, False, False, True]
assert all(a["requests"]["outcomes"] == {"ok": 12} for a in shown["arms"])
assert shown["engines"][0]["identity"]["engine"] == "echo"
assert {"parse", "score", "stats", "costs", "report"} <= {p["phase"] for p in shown["phases"]}
assert all(p["finished_at"] for p in shown["phases"])
assert shown["command_line"][0] == "--config" and len(shown["config_sha256"]) == 64
assert shown["costs"]["usd_total"] is None and shown["open_jobs"] == []
text = there("show", "edited").stdout
for part in ("superseded", "promptsweep run --config", "no arm has a price", '"engine":"echo"', "report"):
    assert part in text, (part, text)
assert all(set(a["requests"]["outcomes"]) <= {"ok"} for a in as_json("show", "gappy")["arms"]), "attempts are no results"
assert "required" in call("show", expect=2).stderr

# --- compare: a different number of items, one changed prompt
sweep("other", "--set", "backend_options.abstain_share=0.9", items=20)
same = as_json("compare", "whole", "whole")
assert same["configuration"] == [] and len(same["trials"]) == 2
for trial in same["trials"]:
    for block in trial["temperatures"][0]["results"].values():
        assert block["items"]["only_a"] == block["items"]["only_b"] == 0
        for metric in block["metrics"].values():
            assert all(metric[arm]["delta"] == 0 for arm in ("control", "treatment", "effect")), metric
found = as_json("compare", "whole", folder("other"))
assert {d["key"] for d in found["configuration"]} == {"backend_options.abstain_share", "limit_items"}
assert {d["a"] for d in found["configuration"]} == {None, "12"}
assert len(found["trials"]) == 2 and found["only_a"] == found["only_b"] == []
by_set = {t["prompt_set"]: t for t in found["trials"]}
assert by_set["a"]["same_treatment_prompt"] and not by_set["b"]["same_treatment_prompt"]
assert by_set["a"]["engine_differences"] == []
blocks = by_set["a"]["temperatures"][0]["results"]
assert sum(b["items"]["in_both"] for b in blocks.values()) == 12
assert sum(b["items"]["only_b"] for b in blocks.values()) == 8


def mean_scores(run_id, trial, condition):
    """Item key to accuracy of one arm, from the run's own file."""
    with open(folder(run_id) / trial / "results/per_item_scores.csv", newline="") as rows:
        return {(r["item_key"], r["type"]): float(r["em"]) for r in csv.DictReader(rows) if r["condition"] == condition}


for kind, block in blocks.items():
    em = block["metrics"]["em"]
    a, b = (mean_scores(run, by_set["a"][slug], "treatment") for run, slug in (("whole", "slug_a"), ("other", "slug_b")))
    keys = [k for k in a if k in b and k[1] == kind]
    assert len(keys) == em["treatment"]["n_items"] > 0
    for side, scores in (("a", a), ("b", b)):
        assert abs(em["treatment"][side] - sum(scores[k] for k in keys) / len(keys)) < 1e-12
    assert abs(em["effect"]["delta"] - (em["treatment"]["delta"] - em["control"]["delta"])) < 1e-12
    assert em["effect"]["ci"][0] <= em["effect"]["delta"] <= em["effect"]["ci"][1]
assert there("compare", "whole", "other").stdout == there("compare", "whole", "other").stdout
assert "B - A" in there("compare", "whole", "other").stdout
partly = as_json("compare", "whole", "gappy")
assert partly["b"]["state"] == "incomplete" and not all(t["temperatures"][0]["complete_b"] for t in partly["trials"])
assert "incomplete in B" in there("compare", "whole", "gappy").stdout
assert "two runs" in there("compare", "whole", expect=2).stderr
sentence(there("compare", "whole", "broken", expect=1), "run.sqlite")
sentence(there("compare", "whole", "nowhere", expect=2), "nowhere")

# --- archive: refused while incomplete or running, then sealed, then a no-op that checks
sentence(there("archive", "gappy", expect=1), "incomplete", f"{gaps['done']}/72", "--incomplete")
with Lock("whole"):
    sentence(there("archive", "whole", expect=1), "pid 4242 on host elsewhere")
assert not (folder("whole") / "SHA256SUMS").exists()
assert as_json("archive", "whole")["was_sealed"] is False
for path in folder("whole").rglob("*"):
    if path.is_file() and path.suffix != ".lock":
        assert path.stat().st_mode & 0o222 == 0, path
subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder("whole"), check=True)
before = snapshot(folder("whole"))
assert "was sealed already" in there("archive", "whole").stdout
written = as_json("archive", "whole", "--tar")
tar = pathlib.Path(written["archive"])
assert tar == RUNS / "run_whole.tar.zst" and not written["archive_was_there"] and tar.stat().st_size > 0
unpacked = WORK / "unpacked"
unpacked.mkdir()
subprocess.run(["tar", "--zstd", "-xf", tar, "-C", unpacked], check=True)
subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=unpacked / "run_whole", check=True)
sealed = {p.split("  ", 1)[1] for p in (folder("whole") / "SHA256SUMS").read_text().splitlines()}
assert {str(p.relative_to(unpacked / "run_whole")) for p in (unpacked / "run_whole").rglob("*") if p.is_file()} \
    == sealed | {"SHA256SUMS"}
stamp = tar.stat().st_mtime_ns
assert as_json("archive", "whole", "--tar")["archive_was_there"] and tar.stat().st_mtime_ns == stamp
assert [p.name for p in RUNS.iterdir() if p.name.endswith(".tmp")] == []

# D39: an archive of other content is neither merged with nor overwritten.
assert as_json("archive", "gappy", "--incomplete")["was_sealed"] is False
other = RUNS / "run_gappy.tar.zst"
shutil.copy(tar, other)
sentence(there("archive", "gappy", "--tar", expect=1), "not the archive of this sealed run")
assert other.read_bytes() == tar.read_bytes()
other.write_bytes(b"anything")
there("archive", "gappy", "--tar", expect=1)
assert other.read_bytes() == b"anything"
other.unlink()

# Sealed runs are read as before, and reading leaves nothing.
listed = {run["run_id"]: run for run in as_json("list")}
assert listed["whole"]["state"] == listed["gappy"]["state"] == "sealed"
assert listed["gappy"]["requests"]["done"] == gaps["done"]
assert as_json("status", "whole")["next"].startswith("nothing to do")
assert as_json("show", "whole")["costs"] is not None
again = as_json("compare", "whole", "other")
assert again["trials"] == found["trials"]
after = snapshot(folder("whole"))
assert after == before, {k for k in after.keys() | before.keys() if after.get(k) != before.get(k)}
# A prompt was edited since: the sealed run refuses the new trial and says how to have it.
sentence(sweep("whole", expect=2), "sealed", "--reuse all")
after = snapshot(folder("whole"))
assert after == before, {k for k in after.keys() | before.keys() if after.get(k) != before.get(k)}

# A broken seal is named and nothing is written.
report = folder("gappy") / "aggregate_report.md"
original = report.read_bytes()
report.chmod(0o644)
report.write_bytes(original + b"x")
sentence(there("archive", "gappy", expect=1), "the seal is broken", "aggregate_report.md")
report.write_bytes(original)
there("archive", "gappy")
assert report.stat().st_mode & 0o222 == 0, "a sealed file that was made writable stays so"
(folder("gappy") / "note.txt").write_text("later")
sentence(there("archive", "gappy", expect=1), "note.txt", "came after")
(folder("gappy") / "note.txt").unlink()

# --- clean: shows, and removes with --yes alone
everything = sorted(p.name for p in RUNS.iterdir())
for arguments in (("whole",), ("edited", "--superseded"), ("--superseded",), ("whole", "edited", "gappy")):
    assert "nothing was removed" in there("clean", *arguments).stdout
assert sorted(p.name for p in RUNS.iterdir()) == everything
plan = as_json("clean", "other", folder("other"))
assert len(plan) == 1 and plan[0]["bytes"] > 0 and not plan[0]["removed"] and "not archived" in plan[0]["why"]
with Lock("other"):
    assert "somebody runs it" in there("clean", "other", "--yes", expect=1).stdout
assert folder("other").is_dir()

sentence(call("clean", ROOT / "config", "--yes", expect=2), "no run's folder")
sentence(call("clean", WORK, "--yes", expect=2), "no run's folder")
(RUNS / "run_link").symlink_to(folder("other"))
sentence(there("clean", "run_link", "--yes", expect=2), "it stays")
(RUNS / "run_link").unlink()
sentence(there("clean", "other", "nowhere", "--yes", expect=2), "nowhere")
assert folder("other").is_dir(), "one wrong name, and nothing is removed"

# Superseded trials: shown, then gone with what only they use; the rest of the run is as it was.
old = [t["slug"] for t in shown["trials"] if t["state"] == "superseded"][0]
old_arm = [a["store"] for a in shown["arms"] if a["superseded"]][0]
plan = as_json("clean", "edited", "--superseded")
assert [pathlib.Path(p["path"]).name for p in plan] == [old], plan
shutil.copytree(folder("edited"), folder("frozen"))
there("archive", "frozen")
assert "the run is sealed" in there("clean", "frozen", "--superseded", "--yes", expect=1).stdout
assert (folder("frozen") / old).is_dir()
with Lock("edited"):
    there("clean", "edited", "--superseded", "--yes", expect=1)
assert (folder("edited") / old).is_dir()
kept = {p: s for p, s in snapshot(folder("edited")).items()
        if not p.startswith(old) and "run.sqlite" not in p and "manifest" not in p}
assert all(p["removed"] for p in as_json("clean", "edited", "--superseded", "--yes"))
assert not (folder("edited") / old).exists() and not (folder("edited") / old_arm).exists()
now = snapshot(folder("edited"))
assert {p: s for p, s in now.items() if p in kept} == kept
shown = as_json("show", "edited")
assert len(shown["trials"]) == 2 and len(shown["arms"]) == 3
manifest = json.loads((folder("edited") / "multi_trial_manifest.json").read_text())
assert [t["superseded"] for t in manifest["trials"]] == [False, False]
assert shown["state"] == "incomplete", "the reports told of what is gone"
assert "nothing to do" not in sweep("edited").stderr and as_json("verify", "edited")["differences"] == []
assert "nothing to do" in sweep("edited").stderr
assert "nothing to remove" in there("clean", "edited", "--superseded", "--yes").stdout

# A removal that was cut off leaves no half run under a name that is read.
half = RUNS / ".removing-run_half"
shutil.copytree(folder("other"), half)
assert "half" not in {r["run_id"] for r in as_json("list")}
assert "cut off" in there("clean").stdout and half.exists()
there("clean", "--yes")
assert not half.exists()

for run_id in ("whole", "gappy", "other", "frozen", "broken"):
    gone = as_json("clean", run_id, "--yes")
    assert [g["removed"] for g in gone] == [True] and not folder(run_id).exists()
assert tar.exists(), "the archive stays"
assert sorted(p.name for p in RUNS.iterdir()) == ["response_cache.sqlite", "response_cache.sqlite.lock", "run_edited", "run_whole.tar.zst",
                                                       "throughput.json"]
