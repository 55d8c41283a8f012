#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sweep against a service whose hidden capacity changes: at least 90 % of it is used and fewer than
5 % of the requests are refused, judged without the first 10 s after each change.

  capacity_test.py PROGRAM BACKENDS EMULATOR"""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "emulators"))
from emulator_process import Emulator  # noqa: E402

PROGRAM, BACKENDS, EMULATOR = (str(pathlib.Path(p).absolute()) for p in sys.argv[1:4])
STEPS = [(0, 40), (18, 80), (36, 25)]  # from this second on, at most so many requests in service
END_S, SETTLING_S, LATENCY_MS = 54, 10, 100
CONFIG = """
models: [{{id: m, alias: m}}]
backend: openai_compatible
backend_options: {{base_url: "{url}/v1", max_concurrent_requests: 400}}
prompt_sets: {{one: {{control: control.txt, treatment: one.txt}}}}
task_instructions: {{closed_book: instructions.txt, open_book: instructions.txt}}
datasets: [{{name: q, task: closed_book, format: csv, path: q.csv, columns: {{id: id, question: question, answers: answers}}}}]
temps: [0.0]
top_k: null
max_new_tokens: {{closed_book: 24, open_book: 24}}
"""


def capacity_at(second):
    return [capacity for start, capacity in STEPS if start <= second][-1]


def is_judged(second):
    return all(not start <= second < start + SETTLING_S for start, _ in STEPS) and second < END_S


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    capacity = ",".join(f"{value}@{start}" for start, value in STEPS)
    with Emulator(EMULATOR, "openai", "--model", "m", "--latency-ms", LATENCY_MS, "--capacity", capacity, seed=3) as server:
        (folder / "sweep.yaml").write_text(CONFIG.format(url=server.url))
        for stem, text in (("control", "Answer."), ("one", "Answer with care."), ("instructions", "Reply in a word.")):
            (folder / f"{stem}.txt").write_text(text + "\n")
        (folder / "q.csv").write_text("\n".join(
            ["id,question,answers"] + [f"i{i},What is thing {i}?,Thing" for i in range(20000)]))
        run = subprocess.Popen([PROGRAM, "run", "--config", "sweep.yaml", "--quiet", "--backend_path", BACKENDS],
                               cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + END_S + 8
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.5)
            if len(server.counts()["seconds"]) > END_S:
                break
        seconds = server.counts()["seconds"]
        run.send_signal(signal.SIGINT)
        errors = run.communicate(timeout=30)[1]
        assert run.returncode == 130, (run.returncode, errors)
    judged = [s for s in seconds if is_judged(s["second"])]
    assert len(judged) >= 20, seconds
    for start, value in STEPS:
        of_step = [s for s in judged if capacity_at(s["second"]) == value]
        used = sum(s["in_service"] for s in of_step) / (value * len(of_step))
        print(f"capacity {value}: {100 * used:.1f} % used, {sum(s['rejected'] for s in of_step)} of "
              f"{sum(s['served'] + s['rejected'] for s in of_step)} refused")
        assert used >= 0.9, json.dumps(of_step)
    served, rejected = (sum(s[name] for s in judged) for name in ("served", "rejected"))
    print(f"refused: {100 * rejected / (served + rejected):.2f} %")
    assert rejected < 0.05 * (served + rejected)
