#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two sweeps over 8 prompt sets, one model, one temperature: the first asks 9 arms' worth of requests (a
control is shared, D22), the second, with --reuse all, none, and comes to the same results. Costs and
latencies leave cached rows out."""
import csv
import json
import pathlib
import subprocess
import sys

import harness

harness.use(sys.argv)
BACKENDS = sys.argv[3]
SETS, ITEMS = 8, 20


def write_sweep(folder):
    names = [f"set{i}" for i in range(SETS)]
    (folder / "control.txt").write_text("Answer the question.")
    for name in names:
        (folder / f"{name}.md").write_text(f"You follow the rules of {name}. If unsure, say: I don't know.")
    (folder / "instructions.txt").write_text("Answer in a few words. If you do not know, say: I don't know.")
    with open(folder / "items.jsonl", "w") as file:
        for i in range(ITEMS):
            file.write(json.dumps({"question": f"Which town has number {i}?", "answer": [f"Town{i}"]}) + "\n")
    sets = "\n".join(f"  {n}: {{control: {folder}/control.txt, treatment: {folder}/{n}.md}}" for n in names)
    (folder / "sweep.yaml").write_text(f"""
backend: echo
models: [{{id: echo-model, backend_options: {{mode: policy, event_log: {folder}/events}}}}]
prompt_sets:
{sets}
task_instructions: {{closed_book: {folder}/instructions.txt, open_book: {folder}/instructions.txt}}
datasets: [{{name: towns, task: closed_book, format: nq_open, path: {folder}/items.jsonl}}]
temps: [0.0]
sweep: {{prompt_sets: [{", ".join(names)}]}}
stats: {{bootstrap_samples: 200, permutation_samples: 200}}
paths: {{experiments_dir: {folder}/experiments}}
""")


def sweep(folder, *arguments):
    done = subprocess.run([harness.PROGRAM, "run", "--config", str(folder / "sweep.yaml"), "--backend_path", BACKENDS,
                           "--quiet", *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def requests_sent(folder):
    """What the plugin counted: `<unix us> <pid> submit <requests>` a job."""
    if not (folder / "events").exists():
        return 0
    lines = [line.split() for line in (folder / "events").read_text().splitlines()]
    return sum(int(words[3]) for words in lines if words[2] == "submit")


def rows(run):
    """Predictions without where and when they came from."""
    out = {}
    for (_, prompt_set), trial in harness.trials(run).items():
        with open(trial / "results/predictions.csv", newline="") as file:
            out[prompt_set] = [{k: v for k, v in row.items() if k not in
                                ("attempt", "cached", "latency_ms", "request_id")} for row in csv.DictReader(file)]
    return out


with harness.temporary() as name:
    folder = pathlib.Path(name)
    write_sweep(folder)
    sweep(folder, "--run_id", "first")
    sent = requests_sent(folder)
    assert sent == (SETS + 1) * ITEMS, f"{sent} requests instead of {SETS + 1} arms of {ITEMS}"

    sweep(folder, "--run_id", "none")  # earlier runs are not used unless asked for
    assert requests_sent(folder) == 2 * sent
    sweep(folder, "--run_id", "controls", "--reuse", "controls")
    assert requests_sent(folder) == 2 * sent + SETS * ITEMS
    before = requests_sent(folder)
    sweep(folder, "--run_id", "all", "--reuse", "all")
    assert requests_sent(folder) == before, "a request was sent though its answer was cached"

    runs = {run.name: run for run in (folder / "experiments").glob("run_*")}
    assert rows(runs["run_all"]) == rows(runs["run_first"])
    for trial in harness.trials(runs["run_all"]).values():
        with open(trial / "results/predictions.csv", newline="") as file:
            for row in csv.DictReader(file):
                assert row["cached"] in ("1", "true"), row
                assert row["latency_ms"] == "", row
    print(f"{SETS} sets: {sent} requests = {sent // ITEMS} arms of {ITEMS}; with --reuse all: 0")
