# SPDX-License-Identifier: Apache-2.0
"""A sweep over the echo plugin in a folder of its own: two prompt sets over one control, one model."""
import csv
import json
import os
import pathlib
import sqlite3
import subprocess
import sys

PROGRAM, BACKENDS = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
CONFIG = """backend: echo
models:
  - {{id: m, alias: m}}
backend_options: {options}
prompt_sets:
  one: {{control: control.txt, treatment: one.txt}}
  two: {{control: control.txt, treatment: two.txt}}
task_instructions: {{closed_book: instructions.txt, open_book: instructions.txt}}
datasets:
  - {{name: q, task: closed_book, format: csv, path: q.csv, columns: {{id: id, question: question, answers: answers}}}}
temps: [0.0]
max_new_tokens: {{closed_book: 24, open_book: 24}}
block_size: 4
stats: {{bootstrap_samples: {samples}, permutation_samples: 200}}
sweep: {{prompt_sets: [one, two]}}
"""


class Project:
    def __init__(self, folder, items=20, samples=200, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events = self.folder / "events.log"
        self.configure(samples, **options)
        for name, text in (("control", "Answer."), ("one", "Answer with care."),
                           ("two", "Answer, or say: I don't know."), ("instructions", "Reply in a word.")):
            self.write(f"{name}.txt", text)
        self.data(items)

    def write(self, name, text):
        (self.folder / name).write_text(text + "\n")

    def configure(self, samples=200, **options):
        options = {"mode": "policy", "event_log": str(self.events), **options}
        self.write("sweep.yaml", CONFIG.format(options=json.dumps(options), samples=samples))

    def data(self, items):
        self.write("q.csv", "\n".join(["id,question,answers"] + [f"i{i},What is thing {i}?,Thing" for i in range(items)]))

    def command(self, *arguments):
        return [str(PROGRAM), "run", "--config", "sweep.yaml", "--backend_path", str(BACKENDS), *arguments]

    def call(self, command, expect, cwd=None):
        done = subprocess.run(command, cwd=cwd or self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == expect, (done.returncode, command[1:], done.stdout, done.stderr)
        return done

    def run(self, *arguments, expect=0):
        return self.call(self.command("--quiet", *arguments), expect)

    def program(self, *arguments, expect=0, cwd=None):
        return self.call([str(PROGRAM), *arguments], expect, cwd)

    def start(self, *arguments, **how):
        return subprocess.Popen(self.command("--quiet", *arguments), cwd=self.folder, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)

    def place(self, run_id):
        return self.folder / "experiments" / (run_id if run_id.startswith("dryrun_") else "run_" + run_id)

    def sent(self):
        """Requests that reached the plugin, ever."""
        if not self.events.exists():
            return 0
        lines = [line.split() for line in self.events.read_text().splitlines()]
        return sum(int(line[-1]) for line in lines if line[2] == "submit")

    def manifest(self, run_id):
        return json.loads((self.place(run_id) / "multi_trial_manifest.json").read_text())

    def trials(self, run_id):
        """Prompt set -> folder, of the trials that are not superseded."""
        return {t["trial"]["prompt_set"]: self.place(run_id) / t["slug"]
                for t in self.manifest(run_id)["trials"] if not t["superseded"]}

    def predictions(self, run_id):
        out = {}
        for name, trial in self.trials(run_id).items():
            with open(trial / "results/predictions.csv", newline="") as file:
                out[name] = [{k: v for k, v in row.items() if k not in ("latency_ms", "attempt")}
                             for row in csv.DictReader(file)]
        return out

    def query(self, path, text):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return db.execute(text).fetchall()
        finally:
            db.close()

    def meta(self, run_id, key):
        rows = self.query(self.place(run_id) / "run.sqlite", f"SELECT value FROM meta WHERE key = '{key}'")
        return rows[0][0] if rows else ""

    def phases(self, run_id):
        """(phase, subject) -> is it recorded as done."""
        return {(p, s): bool(h) for p, s, h in self.query(self.place(run_id) / "run.sqlite",
                                                          "SELECT phase, subject, input_hash FROM phases")}

    def stores(self, run_id):
        return sorted(self.place(run_id).glob("**/arm.sqlite"))

    def counts(self, run_id):
        """Expected and accepted requests over all arms; checks that nothing was answered twice."""
        expected = accepted = 0
        for store in self.stores(run_id):
            expected += self.query(store, "SELECT count(*) FROM requests")[0][0]
            accepted += self.query(store, "SELECT count(*) FROM results")[0][0]
            twice = self.query(store, "SELECT request_id FROM attempts WHERE outcome = 'ok' GROUP BY request_id "
                                      "HAVING count(*) > 1")
            assert not twice, (store, twice)
        return expected, accepted


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(pathlib.Path(folder).rglob("*")) if p.is_file()}


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    """Of all threads of the process."""
    out = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            out += [int(c) for c in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return out
