#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every fault that a service can have, alone and in random combinations: the sweep ends with the same
accepted answers as without faults, or, where the fault lasts, with typed rows or one message, and the
same command then completes it. No job is paid twice, nothing hangs, no file holds the key.

  http_faults_test.py PROGRAM BACKENDS EMULATOR [--service NAME] [--only FAULT] [--random N] [--seed S]

The faults are the emulators' own list (tests/emulators/README.md). N combinations, by default
PROMPTSWEEP_FAULTS or 100, are shared out among the four ways through a service."""
import argparse
import concurrent.futures
import csv
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "emulators"))
from emulator_process import Emulator, list_faults  # noqa: E402

csv.field_size_limit(1 << 30)
KEY = "fault-campaign-key-0123456789abcdef"
ITEMS = 12
DEADLINE_S = 100  # of one run; the waits of all faults together are well below
MODEL = "campaign-model"
# mode of the campaign -> service of the emulator, backend, its options given the address
MODES = {
    "ollama": ("ollama", "local_ollama", lambda url: {"base_url": url, "max_concurrent_requests": 4, "num_ctx": 512}),
    "openai": ("openai", "openai_compatible", lambda url: {"base_url": url + "/v1", "api_key": "OPENAI_API_KEY",
                                                           "max_concurrent_requests": 8}),
    "realtime": ("fireworks", "fireworks", lambda url: {"base_url": url, "account_id": "lab", "mode": "realtime",
                                                        "max_concurrent_requests": 8}),
    "batch": ("fireworks", "fireworks", lambda url: {"base_url": url, "account_id": "lab", "mode": "batch",
                                                     "poll_s": 0.02, "poll_max_s": 0.1, "deadline_h": 0.002}),
}
COMMON = {"timeout_s": 4, "retry_after_max_s": 2}
CONFIG = """
models: [{{id: {model}, alias: m}}]
backend: {backend}
backend_options: {options}
prompt_sets: {{one: {{control: control.txt, treatment: one.txt}}}}
task_instructions: {{closed_book: instructions.txt, open_book: instructions.txt}}
datasets: [{{name: q, task: closed_book, format: csv, path: q.csv, columns: {{id: id, question: question, answers: answers}}}}]
temps: [0.0]
top_k: null
max_new_tokens: {{closed_book: 24, open_book: 24}}
block_size: 4
retries: {retries}
stats: {{bootstrap_samples: 100, permutation_samples: 100}}
"""
# Faults that only another way through the service meets: uploads to a signed URL.
OPTIONS_FOR = {name: {"upload_limit_bytes": 1} for name in ("put_url_expired", "validate_not_settled")}
FINAL_OUTCOMES = {"ok", "truncated", "empty", "filtered", "error_request", "prompt_truncated"}


class Campaign:
    def __init__(self, program, backends, emulator, mode, folder):
        self.program, self.backends, self.emulator, self.mode, self.folder = program, backends, emulator, mode, folder
        self.service, self.backend, self.options = MODES[mode]
        self.baseline = None

    def faults(self):
        return [f for f in list_faults(self.emulator, self.service)
                if self.service != "fireworks" or f["mode"] in ("any", self.mode)]

    def project(self, name, url, retries, **more):
        folder = self.folder / name
        folder.mkdir()
        (folder / "sweep.yaml").write_text(CONFIG.format(
            model=MODEL, backend=self.backend, options=json.dumps({**self.options(url), **COMMON, **more}), retries=retries))
        for stem, text in (("control", "Answer."), ("one", "Answer with care."), ("instructions", "Reply in a word.")):
            (folder / f"{stem}.txt").write_text(text + "\n")
        (folder / "q.csv").write_text("\n".join(
            ["id,question,answers"] + [f"i{i},What is thing {i}?,Thing" for i in range(ITEMS)]))
        return folder

    def run(self, folder):
        try:
            return subprocess.run(
                [self.program, "run", "--config", "sweep.yaml", "--quiet", "--backend_path", self.backends, "--run_id", "c"],
                cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S,
                env={**os.environ, "FIREWORKS_API_KEY": KEY, "OPENAI_API_KEY": KEY})
        except subprocess.TimeoutExpired:
            raise AssertionError("the run hangs")

    def start(self):
        # A job takes a few polls and little time, so that every state is seen.
        extra = ["--job-ms", "30", "--shards", "2"] if self.service == "fireworks" else []
        return Emulator(self.emulator, self.service, "--model", MODEL, *extra, key=KEY, seed=11)

    def measure_baseline(self):
        with self.start() as server:
            folder = self.project("baseline", server.url, 2)
            done = self.run(folder)
            assert done.returncode == 0, (done.returncode, done.stderr)
            counts = server.counts()
            self.baseline = rows(folder)
            self.jobs = counts["jobs"]["created"]
            assert len(self.baseline) == 2 * ITEMS and all(r["status"] == "ok" for r in self.baseline.values())
            assert counts["authorization_on_signed_urls"] == 0

    def check(self, name, script, kind):
        """One sweep under the script. Returns a line about what happened."""
        assert self.baseline is not None
        with self.start() as server:
            lasting = kind == "permanent"
            folder = self.project(re.sub(r"\W", "-", name), server.url, 0 if lasting else 3, **OPTIONS_FOR.get(name, {}))
            server.script(**script)
            done = self.run(folder)
            # Several faults in one place may outlast the tries of one call: the same command goes on.
            runs = 1
            while kind == "combined" and done.returncode == 1 and runs < 3:
                done, runs = self.run(folder), runs + 1
            counts = server.counts()
            met = sum(counts["faults"].values())
            told = self.judge(kind, folder, done, met)
            self.check_money(counts)
            if done.returncode != 0:
                self.goes_on(folder, server)
        check_secrets(folder, done)
        again = f" at the {runs}. run" if runs > 1 else ""
        return f"{self.mode:9} {kind:10} {name}: met {met}, exit {done.returncode}{again}{told}"

    def judge(self, kind, folder, done, met):
        text = done.stderr
        if kind in ("transient", "combined"):
            assert met > 0 or kind == "combined", "the fault was never met"
            assert done.returncode == 0, (done.returncode, text[-1500:])
            assert_equal(rows(folder), self.baseline)
            return ""
        if kind == "cosmetic":
            assert done.returncode in (0, 1), (done.returncode, text[-1500:])
        else:
            assert met > 0, "the fault was never met"
            assert done.returncode in (0, 1, 2), (done.returncode, text[-1500:])
        assert "terminate called" not in text and "AddressSanitizer" not in text, text[-1500:]
        if done.returncode == 0:
            got = rows(folder)
            assert got.keys() == self.baseline.keys()
            assert all(r["status"] in FINAL_OUTCOMES for r in got.values()), got
            typed = sum(1 for r in got.values() if r["status"] != "ok")
            if kind == "permanent":
                assert typed > 0, "a lasting fault left no trace"
            return f", {typed} typed rows"
        sentences = [line for line in text.splitlines() if line.strip()]
        assert sentences, "no message"
        return ": " + sentences[0][:160]

    def check_money(self, counts):
        assert counts["authorization_on_signed_urls"] == 0, "the key went to the object store"
        assert not counts["unknown_routes"], counts["unknown_routes"]
        assert counts["jobs"]["same_input"] == 0, f"a job was created twice: {counts['jobs']}"

    def goes_on(self, folder, server):
        """The fault is over: the same command completes the run with the answers of the undisturbed one."""
        server.script([])
        done = self.run(folder)
        assert done.returncode == 0, ("does not go on", done.returncode, done.stderr[-1500:])
        got = rows(folder)
        assert got.keys() == self.baseline.keys()
        for key, row in got.items():
            assert row["status"] in FINAL_OUTCOMES - {"ok"} or row == self.baseline[key], (row, self.baseline[key])


def rows(folder):
    out = {}
    for path in folder.glob("experiments/run_c/*/results/predictions.csv"):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                out[row["custom_id"]] = {k: row[k] for k in ("status", "response_text", "finish_reason", "prompt_tokens",
                                                             "completion_tokens")}
    return out


def assert_equal(got, expected):
    assert got.keys() == expected.keys(), (len(got), len(expected))
    for key, row in expected.items():
        assert got[key] == row, (key, got[key], row)


def check_secrets(folder, done):
    assert KEY not in done.stdout + done.stderr, "the key was printed"
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), f"{path} holds the key"


def script_for(fault):
    """A few requests where the fault passes, every one where it lasts."""
    entry = {"fault": fault["name"]}
    if fault["kind"] != "permanent":
        entry["times"] = 2
        entry["probability"] = 1.0 if fault["applies_to"] not in ("any", "chat") else 0.3
    if fault["name"].startswith(("late", "drip")):
        entry["ms"] = 6000 if fault["name"].endswith("_always") else 1500
    return {"seed": 5, "faults": [entry]}


def random_script(dice, faults):
    chosen = dice.sample([f for f in faults if f["kind"] == "transient"], dice.randint(2, 4))
    entries = [{"fault": f["name"], "times": dice.randint(1, 2), "probability": dice.choice([0.05, 0.2, 0.5, 1.0])}
               for f in chosen]
    for entry in entries:
        if entry["fault"].startswith(("late", "drip")):
            entry["ms"] = 1500
    return {"seed": dice.randrange(1 << 30), "faults": entries}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program"), parser.add_argument("backends"), parser.add_argument("emulator")
    parser.add_argument("--service"), parser.add_argument("--only")
    parser.add_argument("--random", type=int, default=int(os.environ.get("PROMPTSWEEP_FAULTS", "100")))
    parser.add_argument("--seed", type=int, default=20261124)
    wish = parser.parse_args()
    program, backends, emulator = (str(pathlib.Path(p).absolute()) for p in (wish.program, wish.backends, wish.emulator))
    failures, done = [], 0
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(4) as pool:
        waiting = {}
        for number, mode in enumerate(MODES):
            if wish.service not in (None, mode):
                continue
            folder = pathlib.Path(temporary) / mode
            folder.mkdir()
            campaign = Campaign(program, backends, emulator, mode, folder)
            campaign.measure_baseline()
            faults = campaign.faults()
            for fault in faults:
                if wish.only in (None, fault["name"]):
                    waiting[pool.submit(campaign.check, fault["name"], script_for(fault), fault["kind"])] = (
                        f"{mode} {fault['kind']} {fault['name']}")
            dice = random.Random(wish.seed * 10 + number)
            for i in range(0 if wish.only else -(-wish.random // len(MODES))):
                script = random_script(dice, faults)
                waiting[pool.submit(campaign.check, f"random {i}", script, "combined")] = f"{mode} random {json.dumps(script)}"
        for future in concurrent.futures.as_completed(waiting):
            done += 1
            try:
                print(future.result(), flush=True)
            except Exception as error:  # every failure is told, with its fault
                failures.append(f"{waiting[future]}: {type(error).__name__}: {str(error)[:1800]}")
                print("FAILED " + failures[-1], flush=True)
    print(f"seed {wish.seed}: {done} sweeps, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
