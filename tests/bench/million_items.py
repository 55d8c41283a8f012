# SPDX-License-Identifier: Apache-2.0
"""Memory and the cost of "nothing to do" over many items, through the echo plugin.

    million_items.py PROGRAM SOURCE_FOLDER BACKENDS_FOLDER [ITEMS ...]     (default: 100000 1000000)

What is measured, and how: README.md beside this file. Exit code 1: a limit was passed.
"""
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

PEAK_LIMIT_MB = 400  # core and host together, at one million items
RATIO_LIMIT = 3      # deciding that nothing is to do, against one counting query

NAMES = ["Anna", "Boris", "Clara", "David", "Elena", "Fabian", "Greta", "Hugo"]

CONFIG = """
backend: echo
models: [scale]
backend_options: {{n_parallel: 4, mode: policy, abstain_share: 0.3}}
prompt_sets:
  refuse: {{control: {folder}/control.txt, treatment: {folder}/treatment.txt}}
default_prompt_set: refuse
task_instructions:
  closed_book: config/task_instructions/demo/closed_book.txt
  open_book: config/task_instructions/demo/open_book.txt
temps: [0.0]
samples_per_item: {{0.0: 1}}
block_size: 1000
paths: {{prepared_dir: {folder}/prepared, experiments_dir: {folder}/experiments}}
sizes: {{open_book_max_items: 0, triviaqa_max_items: 0}}
stats: {{bootstrap_samples: 20, permutation_samples: 20}}
"""


def write_download(path, items):
    """NQ-open lines: about 110 bytes each, every question another one."""
    with open(path, "w") as file:
        for i in range(items):
            first, second = NAMES[i % 8], NAMES[(i // 8 + 3) % 8]
            file.write(json.dumps({"question": f"Who signed the town register of year {i}, {first} or {second}?",
                                   "answer": [first]}) + "\n")


def status_kb(pid, key):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def children(pid):
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            out += [int(word) for word in task.read_text().split()]
        except OSError:
            pass
    return out


def hosts_seen(seen, below, times):
    """For each child whether it was there at least so many looks in a row."""
    for child in list(seen):
        if child not in below:
            del seen[child]
    for child in below:
        seen[child] = seen.get(child, 0) + 1
    return [count >= times for count in seen.values()]


def run(command, cwd):
    """Peaks in MB of the program and of the largest process below it, and the seconds taken."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=errors)
        seen = {}
        hosts, phases = {}, {"before": 0, "with": 0, "after": 0}
        while True:
            pid, wait_status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            below = children(process.pid)
            for child in below:
                hosts[child] = max(hosts.get(child, 0), status_kb(child, "VmHWM:"))
            # The plugin is described in a child too, for a moment: an engine's host stays longer.
            serving = any(hosts_seen(seen, below, 25))
            phase = "with" if serving else "after" if phases["with"] else "before"
            phases[phase] = max(phases[phase], status_kb(process.pid, "VmRSS:"))
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(wait_status)
        seconds = time.monotonic() - start
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    assert process.returncode == 0, (command, process.returncode, text[-2000:])
    return {"core": usage.ru_maxrss / 1024, "host": max(hosts.values(), default=0) / 1024,
            "seconds": seconds, "text": text, "phases": {k: v / 1024 for k, v in phases.items()}}


def seconds_of(action, times=5):
    best = float("inf")
    for _ in range(times):
        start = time.monotonic()
        action()
        best = min(best, time.monotonic() - start)
    return best


def count_unanswered(run_folder):
    """Completion as FORMAT.md defines it, by one query over all arms."""
    stores = sorted(run_folder.glob("**/arm.sqlite"))
    db = sqlite3.connect(":memory:")
    for number, store in enumerate(stores):
        db.execute(f"ATTACH DATABASE ? AS arm{number}", (str(store),))
    parts = [f"SELECT count(*) AS n FROM arm{i}.requests q WHERE NOT EXISTS"
             f"(SELECT 1 FROM arm{i}.results r WHERE r.request_id = q.request_id)" for i in range(len(stores))]
    query = "SELECT sum(n) FROM (" + " UNION ALL ".join(parts) + ")"

    def ask():
        assert db.execute(query).fetchone()[0] == 0

    return seconds_of(ask)


def measure(program, source, backends, items):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "control.txt").write_text("You are a helpful assistant. Answer in a few words.\n")
        (folder / "treatment.txt").write_text(
            "You are a helpful assistant. If you are not sure, say \"I don't know\". Answer in a few words.\n")
        config = folder / "scale.yaml"
        config.write_text(CONFIG.format(folder=folder))
        download = folder / "NQ-open.dev.jsonl"
        write_download(download, items)
        prepare = run([program, "prepare", "--nq_open", str(download), "--raw_dir", str(folder),
                       "--prepared_dir", str(folder / "prepared")], source)
        sweep = [program, "run", "--config", str(config), "--backend_path", str(backends),
                 "--run_id", "scale", "--quiet"]
        whole = run(sweep, source)
        run_folder = folder / "experiments" / "run_scale"
        size = sum(f.stat().st_size for f in run_folder.rglob("*") if f.is_file())
        again = run(sweep, source)
        assert "nothing to do" in again["text"], again["text"]
        decided = seconds_of(lambda: run(sweep, source), 3)
        counted = count_unanswered(run_folder)
    out = {"items": items, "prepare_mb": prepare["core"], "core_mb": whole["core"], "host_mb": whole["host"],
           "peak_mb": whole["core"] + whole["host"], "run_seconds": whole["seconds"],
           "core_mb_before_with_after_host": [round(v, 1) for v in whole["phases"].values()],
           "run_folder_mb": size / 1e6, "nothing_to_do_s": decided, "counting_query_s": counted,
           "nothing_to_do_mb": again["core"], "ratio": decided / counted}
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in out.items()}), flush=True)
    return out


def main(arguments):
    program, source, backends = arguments[1:4]
    sizes = [int(a) for a in arguments[4:]] or [100_000, 1_000_000]
    results = [measure(program, source, backends, items) for items in sizes]
    if len(results) > 1:
        first, last = results[0], results[-1]
        growth = (last["peak_mb"] - first["peak_mb"]) * 1024 * 1024 / (last["items"] - first["items"])
        print(f"growth: {growth:.0f} bytes an item from {first['items']} to {last['items']} items")
    failed = [f"{r['items']} items: {max(r['peak_mb'], r['prepare_mb']):.0f} MB, the limit is {PEAK_LIMIT_MB}"
              for r in results if max(r["peak_mb"], r["prepare_mb"]) > PEAK_LIMIT_MB]
    # Below some hundred thousand items starting the program takes longer than counting.
    if results[-1]["items"] >= 1_000_000 and results[-1]["ratio"] > RATIO_LIMIT:
        failed.append(f"deciding took {results[-1]['ratio']:.2f} counting queries, the limit is {RATIO_LIMIT}")
    print("\n".join(failed) or "within the limits")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
