# SPDX-License-Identifier: Apache-2.0
"""Runs the program and reads what a run left; shared by the integration tests."""
import csv
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile

PROGRAM, ROOT = None, None


def use(arguments):
    global PROGRAM, ROOT
    PROGRAM, ROOT = arguments[1], pathlib.Path(arguments[2])


def command(folder, *arguments):
    return [PROGRAM, "run", "--config", "config/eval_config.demo.yaml", "--quiet",
            "--set", f"paths.experiments_dir={folder}", "--set", "stats.bootstrap_samples=200",
            "--set", "stats.permutation_samples=200", *arguments]


def run(folder, *arguments, expect=0, environment=None):
    done = subprocess.run(command(folder, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=600,
                          env={**os.environ, **(environment or {})})
    assert done.returncode == expect, (done.returncode, done.args, done.stdout, done.stderr)
    return done


def only_run(folder):
    runs = sorted(pathlib.Path(folder).glob("run_*"))
    assert len(runs) == 1, runs
    return runs[0]


def trials(run_folder):
    manifest = json.loads((run_folder / "multi_trial_manifest.json").read_text())
    return {(t["trial"]["model_alias"], t["trial"]["prompt_set"]): run_folder / t["slug"] for t in manifest["trials"]}


def predictions(trial):
    """Rows without what may differ between two runs of the same trial: the time taken."""
    with open(trial / "results/predictions.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "latency_ms"} for row in csv.DictReader(file)]


def host_processes(pid):
    """The running promptsweep-host children of a process, whichever of its threads started them."""
    out = []
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("promptsweep-hos"):
                    out.append(int(child))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return out


def without_family(value):
    """significance.json without what depends on the other trials of the run."""
    if isinstance(value, dict):
        return {k: without_family(v) for k, v in value.items()
                if not k.startswith("q_") and k not in ("q_value", "verdict", "family", "family_hash", "run_id")}
    return [without_family(v) for v in value] if isinstance(value, list) else value


def results(trial):
    return (predictions(trial), (trial / "results/per_item_scores.csv").read_text(),
            without_family(json.loads((trial / "results/significance.json").read_text())))


def stores(run_folder):
    return sorted(run_folder.glob("**/arm.sqlite"))


def check_store(path):
    """Every request has exactly one accepted result, and none was answered twice."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    one = lambda query: db.execute(query).fetchone()[0]
    expected, accepted = one("SELECT count(*) FROM requests"), one("SELECT count(*) FROM results")
    assert expected == accepted > 0, (path, expected, accepted)
    answered = one("SELECT count(*) FROM (SELECT request_id FROM attempts WHERE outcome = 'ok' "
                   "GROUP BY request_id HAVING count(*) > 1)")
    assert answered == 0, f"{path}: {answered} requests were answered twice"
    db.close()


temporary = tempfile.TemporaryDirectory
