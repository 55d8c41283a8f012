#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which requests go out and what their answers become, over the echo plugins. Guards against defects of
the original: D3, D4, D8, D17, D20, D23, D25, D29, D31, D36, D41 and D43."""
import collections
import csv
import json
import pathlib
import shutil
import signal
import tempfile
import time

from echo_project import Project


class RemoteProject(Project):
    """Over echo_remote: its folder holds every request line that was ever sent."""

    def configure(self, samples=200, **options):
        self.provider = pathlib.Path(options.pop("provider", self.folder / "provider")).absolute()
        super().configure(samples, remote_folder=str(self.provider), **options)
        self.edit("backend: echo\n", "backend: echo_remote\n")

    def edit(self, old, new):
        edit(self, old, new)

    def lines(self):
        return [json.loads(line) for job in sorted(self.provider.glob("jobs/job-*"))
                for line in (job / "requests.jsonl").read_text().splitlines()]


def edit(project, old, new):
    text = (project.folder / "sweep.yaml").read_text()
    assert old in text, old
    project.write("sweep.yaml", text.replace(old, new))


def every_row(project, run_id):
    return [row for rows in project.predictions(run_id).values() for row in rows]


def trial_parameters_reach_the_requests(folder):
    """D3: every cell of the grid is asked with its own model, sampling and token limit."""
    p = RemoteProject(folder, items=3)
    p.edit("  - {id: m, alias: m}", "  - {id: vendor/large, alias: large}\n  - {id: vendor/small, alias: small}")
    p.edit("path: q.csv,", "path: q.csv, max_items: 2,")
    p.edit("sweep: {prompt_sets: [one, two]}",
           "sweep: {prompt_sets: [one], top_p: [0.5, 1.0], top_k: [5, 50], temps: [0.0, 0.7]}")
    p.edit("max_new_tokens: {closed_book: 24, open_book: 24}", "max_new_tokens: {closed_book: 24, open_book: 99}")
    p.write("open.jsonl", json.dumps({"dataset": "squad_v2", "id": "s", "context": "Thing.", "question": "What?",
                                      "answers": ["Thing"], "is_unanswerable": False}))
    p.edit("datasets:\n", "datasets:\n  - {name: s, task: open_book, format: prepared, path: open.jsonl}\n")
    p.run("--run_id", "x")
    seen = collections.Counter()
    for line in p.lines():
        is_open = "CONTEXT" in line["messages"][1]["content"]
        assert line["max_tokens"] == (99 if is_open else 24), line
        system = line["messages"][0]["content"]
        sampling = (line.get("temperature"), line.get("top_p"), line.get("top_k")) if line["temperature"] else (0.0,)
        seen[line["model"], system, sampling] += 1
    models, systems = ("vendor/large", "vendor/small"), ("Answer.", "Answer with care.")
    wanted = {(m, s, (0.7, top_p, top_k)) for m in models for s in systems for top_p in (0.5, 1.0) for top_k in (5, 50)}
    sampled = {cell: n for cell, n in seen.items() if cell[2] != (0.0,)}
    assert set(sampled) == wanted and set(sampled.values()) == {3}, sampled
    assert {(m, s) for m, s, sampling in seen if sampling == (0.0,)} == {(m, s) for m in models for s in systems}
    ids = [line["request_id"] for line in p.lines()]
    assert len(ids) == len(set(ids))
    for trial in p.manifest("x")["trials"]:  # what a trial says it used is what its rows were asked with
        with open(p.place("x") / trial["slug"] / "results/predictions.csv", newline="") as file:
            keys = {row["request_key"] for row in csv.DictReader(file)}
        asked = [line for line in p.lines() if line["request_id"] in keys]
        assert asked and {line["model"] for line in asked} == {"vendor/" + trial["trial"]["model_alias"]}, trial


def none_is_none(folder):
    """D20: a cap of 0 asks nothing of that data set, whether its file is there or not."""
    for number, has_file in enumerate((True, False)):
        p = Project(f"{folder}/{number}")
        prepared = p.folder / "prepared"
        prepared.mkdir()
        text = (p.folder / "sweep.yaml").read_text().splitlines()
        p.write("sweep.yaml", "\n".join(line for line in text if not line.startswith(("datasets:", "  - {name: q")))
                + "\npaths: {prepared_dir: prepared}\nsizes: {open_book_max_items: 0, nq_open_max_items: 0}")
        closed = [{"dataset": d, "id": str(i), "question": f"Q{i}?", "answers": ["A b"]}
                  for d, count in (("triviaqa", 4), ("nq_open", 5)) for i in range(count)]
        (prepared / "closed_book.jsonl").write_text("".join(json.dumps(row) + "\n" for row in closed))
        if has_file:
            row = {"dataset": "squad_v2", "id": "1", "context": "c", "question": "q?", "answers": ["c"]}
            (prepared / "open_book.jsonl").write_text(json.dumps(row) + "\n")
        p.run("--run_id", "x")
        assert p.sent() == 3 * 4 and {row["dataset"] for row in every_row(p, "x")} == {"triviaqa"}
    p = Project(folder + "/own")
    edit(p, "path: q.csv,", "path: q.csv, max_items: 0,")
    none = p.run("--run_id", "x", expect=2)
    assert none.stderr.strip() and p.sent() == 0, none.stderr


def limits_hold_however_jobs_are_cut(folder):
    """D23: --limit_items counts items over all data sets, with and without parts; an empty set hurts nobody."""
    flags = ((), ("--parts_per_dataset", "1"), ("--parts_per_dataset", "3"), ("--lines_per_part", "2"),
             ("--parts_per_dataset", "2", "--lines_per_part", "1"))
    for backend in ("echo", "echo_batch"):
        for number, parts in enumerate(flags):
            p = Project(f"{folder}/{backend}{number}", items=30)
            p.write("r.csv", "\n".join(["id,question,answers"] + [f"r{i},Which is {i}?,Which" for i in range(20)]))
            shape = "{name: NAME, task: closed_book, format: csv, path: FILE, columns: {id: id, question: question, answers: answers}MORE}"
            line = lambda *values: "  - " + "".join(
                shape.replace("NAME", values[0]).replace("FILE", values[1]).replace("MORE", values[2])) + "\n"
            edit(p, "datasets:\n", "datasets:\n" + line("r", "r.csv", "") + line("empty", "r.csv", ", max_items: 0"))
            edit(p, "backend: echo\n", f"backend: {backend}\n")
            p.run("--run_id", "x", "--limit_items", "5", *parts)
            assert p.sent() == 15 and p.counts("x") == (15, 15), (backend, parts, p.sent())
            datasets = collections.Counter(row["dataset"] for row in p.predictions("x")["one"])
            assert datasets == {"q": 6, "r": 4}, datasets  # 3 and 2 items in proportion, in two arms


def no_part_is_forgotten(folder):
    """D4, D31, D36: more than a hundred jobs an arm; all of their rows are in the results, once."""
    p = Project(folder, items=130)
    edit(p, "block_size: 4", "block_size: 1")
    p.run("--run_id", "x", "--lines_per_part", "1", "--prompt_sets", "one")
    for store in p.stores("x"):
        assert p.query(store, "SELECT count(*), max(request_count) FROM jobs") == [(130, 1)]
    rows = p.predictions("x")["one"]
    assert len({row["custom_id"] for row in rows}) == len(rows) == 260
    # D25: made again from the stores, never from itself; what was there is replaced by the same.
    file = p.trials("x")["one"] / "results/predictions.csv"
    before = file.read_bytes()
    p.run("--run_id", "x", "--lines_per_part", "1", "--prompt_sets", "one", "--force_step", "parse")
    assert file.read_bytes() == before and p.sent() == 260
    file.write_text("custom_id\n")
    p.run("--run_id", "x", "--lines_per_part", "1", "--prompt_sets", "one", "--from_step", "parse")
    assert file.read_bytes() == before and p.sent() == 260


def refused_answers_are_missing_data(folder):
    """D8: what the engine refused is neither a wrong answer nor an abstention, and the run says so."""
    p = Project(folder + "/all", items=6, failures=[{"kind": "error_request", "every": 1}])
    done = p.run("--run_id", "x")
    assert "18 error_request" in done.stderr, done.stderr
    for row in every_row(p, "x"):
        assert row["status"] == "error_request" and row["response_text"] == "", row
    for name, trial in p.trials("x").items():
        with open(trial / "results/per_item_scores.csv", newline="") as file:
            assert all(row[metric] == "" for row in csv.DictReader(file)
                       for metric in ("em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate"))
        block = json.loads((trial / "results/significance.json").read_text())["results"]["0"]["closed"]
        assert block["n_pairs"] == 0
        for metric, found in block["metrics"].items():
            assert found["mean_control"] is found["mean_treatment"] is found["delta_mean"] is None, (metric, found)
        report = (trial / "reports/report.md").read_text()
        assert "0.0 %" not in report.split("## Results")[1].split("## Caveats")[0]
    for kind in ("truncated", "empty", "filtered", "prompt_truncated"):
        p = Project(f"{folder}/{kind}", items=12, failures=[{"kind": kind, "every": 3}])
        done = p.run("--run_id", "x")
        rows = every_row(p, "x")
        hit = [row for row in rows if row["status"] == kind]
        assert 0 < len(hit) < len(rows) and {row["status"] for row in rows} == {kind, "ok"}
        assert f" {kind}" in done.stderr, done.stderr
        for trial in p.trials("x").values():
            block = json.loads((trial / "results/significance.json").read_text())["results"]["0"]["closed"]
            assert block["n_pairs"] < block["n_items"] == 12, block
    p = Project(folder + "/well", items=3)
    assert p.run("--run_id", "x").stderr == ""


def odd_bytes_come_back(folder):
    """D41, D43: ids with bars and answers with backslashes, quotes and line ends survive to the CSV files."""
    questions = {f"What is thing {i}?": text for i, text in enumerate(
        ("C:\\new\\table", 'say "hi"', "two\nlines", "a,b\\", "\\\\n|", "é 東京"))}
    p = Project(folder, items=0, accuracy=1.0, answers_file=str(pathlib.Path(folder) / "answers.json"))
    p.write("answers.json", json.dumps(questions))
    with open(p.folder / "q.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "question", "answers"))
        writer.writerows((f"i|{i}|%7C", question, "x y") for i, question in enumerate(questions))
    p.run("--run_id", "x")
    texts = {row["response_text"] for row in p.predictions("x")["one"] if row["condition"] == "control"}
    assert texts & set(questions.values()) and texts <= set(questions.values()) | {"I don't know."}, texts
    ids = {row["item_id"] for row in p.predictions("x")["one"]}
    assert ids == {f"i|{i}|%7C" for i in range(len(questions))}, ids
    trial = p.trials("x")["one"]
    with open(trial / "results/per_item_scores.csv", newline="") as file:
        assert len({row["item_key"] for row in csv.DictReader(file)}) == len(questions)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")
    for path in p.place("x").rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)


def runs_do_not_take_each_others_jobs(folder):
    """D17: an equal run of another id, or of the same id after the folder is gone, is asked anew."""
    p = RemoteProject(folder, items=4)
    for number, run_id in enumerate(("x", "y", "x"), 1):
        p.run("--run_id", run_id)
        assert len(p.lines()) == 12 * number, (run_id, len(p.lines()))
        assert not any(row["cached"] == "true" for row in every_row(p, run_id))
        if run_id == "y":
            shutil.rmtree(p.place("x"))
    p.run("--run_id", "z", "--reuse", "all")
    assert len(p.lines()) == 36 and all(row["cached"] == "true" for row in every_row(p, "z"))


def a_provider_without_a_free_place(folder):
    """D29: with the quota taken by somebody else's job, a run waits, is stopped at once, and goes on later."""
    provider = f"{folder}/shared"
    other = RemoteProject(folder + "/other", items=2, provider=provider, remote_max_jobs=1, remote_queue_ms=3_600_000)
    other.write("control.txt", "Theirs.")
    process = other.start("--run_id", "theirs", "--condition", "control")
    deadline = time.monotonic() + 20
    while not list(pathlib.Path(provider).glob("jobs/job-*")):
        assert time.monotonic() < deadline, "the other job was not made"
        time.sleep(0.01)
    p = RemoteProject(folder + "/mine", items=2, provider=provider, remote_max_jobs=1)
    mine = p.start("--run_id", "x")
    time.sleep(1)
    assert mine.poll() is None and len(p.lines()) == 2, "it went on without a place"
    for waiting in (mine, process):
        asked = time.monotonic()
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=20)
        assert waiting.returncode == 130 and time.monotonic() - asked < 5, (waiting.returncode, errors)
    assert p.counts("x")[1] == 0
    other.program("stop", "theirs", "--cancel_remote")  # their job ends, the place is free
    p.run("--run_id", "x")
    assert p.counts("x") == (6, 6)
    mine_again = collections.Counter(line["request_id"] for line in p.lines())
    assert set(mine_again.values()) == {1}, mine_again


for part in (trial_parameters_reach_the_requests, none_is_none, limits_hold_however_jobs_are_cut, no_part_is_forgotten,
             refused_answers_are_missing_data, odd_bytes_come_back, runs_do_not_take_each_others_jobs,
             a_provider_without_a_free_place):
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        part(place)
        print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
