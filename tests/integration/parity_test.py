#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same sweep through one backend and through the engine in this process: the trial folders must
be equal file by file, but for the fields that are listed below.

  parity_test.py PROGRAM SOURCE_FOLDER EMULATOR BACKEND

The emulators answer what the demonstration model answered in this process. A backend joins with one
row in BACKENDS and one line in CMakeLists.txt."""
import csv
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "emulators"))
from emulator_process import Emulator  # noqa: E402

KEY = "parity-test-key-0123456789"
# backend of the configuration, service of the emulator, options given the emulator's address
BACKENDS = {
    "llamacpp_cuda": ("llamacpp_cuda", None, lambda url: LLAMA),
    "local_ollama": ("local_ollama", "ollama",
                     lambda url: {"base_url": url, "num_ctx": 1024, "max_concurrent_requests": 3}),
    "openai_compatible": ("openai_compatible", "openai",
                          lambda url: {"base_url": url + "/v1", "api_key": "OPENAI_API_KEY"}),
    "fireworks_batch": ("fireworks", "fireworks",
                        lambda url: {"base_url": url, "account_id": "lab", "mode": "batch", "poll_s": 0.05}),
    "fireworks_realtime": ("fireworks", "fireworks",
                           lambda url: {"base_url": url, "account_id": "lab", "mode": "realtime"}),
}
MODEL = "promptsweep-demo-small"
LLAMA = {"model": f"models/{MODEL}.gguf", "n_ctx": 1024, "n_parallel": 1, "threads": 1, "deterministic": True}
SWEEP = """
models: [{{id: {model}, alias: demo}}]
backend: {backend}
backend_options: {options}
prompt_sets:
  full_treatment:   {{control: config/prompts/demo/control.txt, treatment: config/prompts/demo/full_treatment.txt}}
  operational_only: {{control: config/prompts/demo/control.txt, treatment: config/prompts/demo/operational_only.txt}}
task_instructions: {{closed_book: config/task_instructions/demo/closed_book.txt, open_book: config/task_instructions/demo/open_book.txt}}
datasets:
  - {{name: demo_closed, task: closed_book, format: prepared, path: config/datasets/demo_closed_book.jsonl}}
  - {{name: demo_open, task: open_book, format: prepared, path: config/datasets/demo_open_book.jsonl}}
temps: [0.0, 0.8]
samples_per_item: {{0.0: 1, 0.8: 2}}
max_new_tokens: {{closed_book: 24, open_book: 24}}
top_p: 1.0
top_k: null
limit_items: 40
stats: {{bootstrap_samples: 500, permutation_samples: 500}}
paths: {{experiments_dir: {experiments}}}
sweep: {{prompt_sets: [full_treatment, operational_only]}}
"""

# What may differ between two backends, and nothing else.
REMOVED_COLUMNS = {"latency_ms", "request_id", "request_key"}          # times, remote and request ids
REMOVED_KEYS = {
    "engine", "options", "backend", "isolation",                        # which engine, and its settings
    "arm_id", "control_arm_id", "treatment_arm_id", "slug", "store", "run_id", "family", "family_hash",
    "pricing", "reason", "usd", "usd_share", "source",                  # a service's prices
    "created_at", "finished_at", "seed_honoured",
}
# Rows of the report that name the engine, its prices or its times, or say what it told of the seed.
REMOVED_LINES = re.compile(
    r"^\| (Run|Backend|Backend options|Engine|Decoding|Model) \||latency|Latency|USD|usd|price|cost", re.I)


def sweep_file(folder, backend, options):
    """Paths in a configuration are relative to its file: it stands beside the one of the demonstration."""
    path = folder / "sweep.yaml"
    text = SWEEP.format(model=MODEL, backend=backend, options=json.dumps(options), experiments=folder / "experiments")
    root = str(harness.ROOT)
    text = text.replace(" config/", f" {root}/config/").replace('"models/', f'"{root}/models/')
    path.write_text(text)
    return path


def run(folder, backend, options):
    folder.mkdir()
    done = subprocess.run(
        [harness.PROGRAM, "run", "--config", str(sweep_file(folder, backend, options)), "--quiet"],
        capture_output=True, text=True, timeout=600, cwd=harness.ROOT,
        env={**os.environ, "FIREWORKS_API_KEY": KEY, "OPENAI_API_KEY": KEY})
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return harness.only_run(folder / "experiments")


def stored(run_folder):
    """(arm document, request columns and result columns) of every request of a run."""
    for path in harness.stores(run_folder):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        arm = json.loads(db.execute("SELECT value FROM meta WHERE key = 'arm'").fetchone()[0])
        for row in db.execute("SELECT * FROM requests JOIN results USING (request_id) ORDER BY position"):
            yield arm, dict(row)
        db.close()


def recorded_answers(run_folder):
    """What each prompt was answered, as the emulators read it: core/prompt/render.cc in a few lines."""
    db = sqlite3.connect(f"file:{run_folder / 'run.sqlite'}?mode=ro", uri=True)
    items = {key: json.loads(text) for key, text in db.execute("SELECT item_key, document FROM items")}
    db.close()
    for arm, row in stored(run_folder):
        item = items[row["item_key"]]
        task = {"closed": "closed_book", "open": "open_book"}[row["type"]]
        user = arm["instructions"][task] + "\n\n"
        if row["type"] == "open":
            user += f"CONTEXT:\n{item['context']}\n\n"
        user += f"QUESTION:\n{item['question']}"
        temperature = arm["decoding"]["temperature"]
        yield {"messages": [{"role": "system", "content": arm["system_prompt"]}, {"role": "user", "content": user}],
               "temperature": temperature, "seed": row["seed"] if temperature > 0 else None,
               "max_tokens": arm["decoding"]["max_new_tokens"][task], "text": row["text"],
               "finish_reason": row["finish_reason"], "prompt_tokens": row["prompt_tokens"],
               "completion_tokens": row["completion_tokens"]}


def without(value, keys):
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items() if k not in keys}
    return [without(v, keys) for v in value] if isinstance(value, list) else value


def read_csv(path):
    with open(path, newline="") as file:
        rows = [{k: v for k, v in row.items() if k not in REMOVED_COLUMNS} for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def read_report(path, names):
    text = path.read_text()
    for name, stand_in in names.items():
        text = text.replace(name, stand_in)
    text = re.sub(r"family `[0-9a-f]+`", "family", text)  # its hash has the slugs in it
    return [line for line in text.splitlines() if not REMOVED_LINES.search(line)]


def store_rows(path):
    """An arm's store without ids, times and what only one engine tells."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = db.execute(
        "SELECT custom_id, item_key, sample_index, type, requests.seed, outcome, finish_reason, error, prompt_tokens, "
        "completion_tokens, attempts, cached, text, em, f1, abstained, false_answer, unsupported "
        "FROM requests JOIN results USING (request_id) LEFT JOIN scores USING (request_id) ORDER BY custom_id").fetchall()
    db.close()
    return rows


def comparable(folder, names):
    """relative name -> content, with arms named by what they are."""
    out = {}
    for path in sorted(folder.rglob("*")):
        relative = str(path.relative_to(folder))
        if not path.is_file() or path.name in ("arm.lock", "arm.sqlite-shm", "arm.sqlite-wal"):
            continue
        if path.suffix == ".csv":
            out[relative] = read_csv(path)
        elif path.suffix == ".json":
            out[relative] = without(json.loads(path.read_text()), REMOVED_KEYS)
        elif path.suffix == ".md":
            out[relative] = read_report(path, names)
        elif path.name == "arm.sqlite":
            rows = store_rows(path)
            out[f"arm of {len(rows)} requests"] = rows
        else:
            raise AssertionError(f"{path}: a kind of file that this test does not know")
    return out


def compare(expected_run, got_run):
    expected, got = harness.trials(expected_run), harness.trials(got_run)
    assert expected.keys() == got.keys()
    pairs = [(expected[key], got[key]) for key in expected]
    pairs.append((expected_run / "shared_controls", got_run / "shared_controls"))
    for left, right in pairs:
        a = comparable(left, {left.name: "TRIAL", expected_run.name[4:]: "RUN"})
        b = comparable(right, {right.name: "TRIAL", got_run.name[4:]: "RUN"})
        assert a.keys() == b.keys(), (sorted(a), sorted(b))
        for name, content in a.items():
            if content == b[name]:
                continue
            for x, y in zip(content, b[name]) if isinstance(content, list) else [(content, b[name])]:
                if x != y:
                    raise AssertionError(f"{right}/{name} differs:\n  expected {json.dumps(x)[:3000]}\n  got      {json.dumps(y)[:3000]}")
            raise AssertionError(f"{right}/{name} has {len(b[name])} entries instead of {len(content)}")
    return len(pairs)


if __name__ == "__main__":
    harness.use(sys.argv)
    emulator, name = sys.argv[3], sys.argv[4]
    backend, service, options = BACKENDS[name]
    with harness.temporary() as temporary:
        folder = pathlib.Path(temporary)
        reference = run(folder / "reference", "llamacpp_cuda", LLAMA)
        if service is None:
            compared = compare(reference, run(folder / name, backend, options(None)))
        else:
            answers = list(recorded_answers(reference))
            with Emulator(emulator, service, "--model", MODEL, answers=answers, key=KEY, seed=7) as server:
                compared = compare(reference, run(folder / name, backend, options(server.url)))
                given = server.counts()["answers"]["given"]
                assert given == len(answers), f"{given} answers were made for {len(answers)} requests"
        print(f"{name}: {compared} folders equal")
