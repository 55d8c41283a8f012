#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`promptsweep verify`: a fresh run verifies and stays byte for byte as it is; one changed byte
anywhere is found and named; restored, the run verifies again. No model: the echo plugin answers."""
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

PROGRAM, BACKENDS = sys.argv[1], sys.argv[2]

CONFIG = """
backend: echo
models:
  - {id: words, alias: words}
backend_options: {mode: policy, n_parallel: 4, failures: [{every: 9, kind: truncated}]}
prompt_sets:
  alpha: {control: control.txt, treatment: alpha.txt}
  beta: {control: control.txt, treatment: beta.txt}
task_instructions: {closed_book: closed.txt, open_book: open.txt}
datasets:
  - {name: closed, task: closed_book, format: prepared, path: closed.jsonl}
  - {name: open, task: open_book, format: prepared, path: open.jsonl}
sweep: {prompt_sets: [alpha, beta]}
temps: [0.0, 0.5]
samples_per_item: {0.0: 1, 0.5: 2}
max_new_tokens: {closed_book: 24, open_book: 24}
stats: {bootstrap_samples: 100, permutation_samples: 100}
"""


def write_sweep(folder):
    texts = {"sweep.yaml": CONFIG, "control.txt": "Answer.", "alpha.txt": "Answer, or say: I don't know.",
             "beta.txt": "Answer briefly.", "closed.txt": "Answer the question.", "open.txt": "Use the passage."}
    for name, text in texts.items():
        (folder / name).write_text(text)
    with open(folder / "closed.jsonl", "w") as file:
        for n in range(12):
            file.write(json.dumps({"id": f"c{n}", "dataset": "nq_open", "question": f"Which tree, Amber or Birch {n}?",
                                   "answers": ["Birch"]}) + "\n")
    with open(folder / "open.jsonl", "w") as file:
        for n in range(8):
            file.write(json.dumps({"id": f"o{n}", "dataset": "squad_v2", "question": f"Who wrote letter {n}, and to whom?",
                                   "context": f"Letter {n}, sent by Cedar, reached Delta.\nThe end.",
                                   "answers": ["Cedar"] if n % 2 else [], "is_unanswerable": n % 2 == 0}) + "\n")


def run(folder, *arguments, expect=0):
    done = subprocess.run([PROGRAM, "run", "--config", "sweep.yaml", "--backend_path", BACKENDS, "--quiet", *arguments],
                          cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)


def verify(run_folder, expect=0, *arguments):
    done = subprocess.run([PROGRAM, "verify", str(run_folder), *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done.stdout if expect < 2 else done.stderr


def differences(run_folder):
    report = json.loads(verify(run_folder, 1, "--json"))
    assert report["verified"] is False and report["difference_count"] >= len(report["differences"]) > 0
    return report["differences"]


def snapshot(folder):
    return {str(p.relative_to(folder)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
            for p in sorted(folder.rglob("*")) if p.is_file()}


@contextlib.contextmanager
def changed(path):
    """Puts the file back as it was."""
    before = path.read_bytes()
    try:
        yield
        assert path.read_bytes() != before, f"{path} was not changed"
    finally:
        path.write_bytes(before)


def sql(path, statement, *values):
    db = sqlite3.connect(path)
    rows = db.execute(statement, values).fetchall()
    db.commit()
    db.close()
    return rows


def flip(path, at):
    """Another printable character in the place of one."""
    data = bytearray(path.read_bytes())
    data[at] = ord("7") if data[at] != ord("7") else ord("8")
    path.write_bytes(bytes(data))


def expect_row(run_folder, file, *names):
    """Some difference of this file names all of these."""
    found = differences(run_folder)
    for one in found:
        text = " ".join((one["row"], one["says"], one["stored"], one["recomputed"]))
        if one["file"] == file and all(name in text for name in names):
            return one
    raise AssertionError((file, names, found))


def check_stores(run_folder):
    for store in sorted(run_folder.rglob("arm.sqlite")):
        name = str(store.relative_to(run_folder))
        request, custom = sql(store, "SELECT q.request_id, q.custom_id FROM results r JOIN requests q "
                                     "ON q.request_id = r.request_id WHERE r.outcome = 'ok' "
                                     "ORDER BY q.position LIMIT 1 OFFSET 3")[0]
        for change in ("text = substr(text, 1, length(text) - 1) || '~'", "completion_tokens = completion_tokens + 1",
                       "finish_reason = 'length'", "latency_ms = latency_ms + 1"):
            with changed(store):
                sql(store, f"UPDATE results SET {change} WHERE request_id = ?", request)
                expect_row(run_folder, name, request, custom, "digest")
        for change in ("em = 1 - em", "abstained = 1 - abstained"):
            with changed(store):
                sql(store, f"UPDATE scores SET {change} WHERE request_id = ?", request)
                expect_row(run_folder, name, request, custom, "scores." + change.split()[0])
        with changed(store):
            sql(store, "UPDATE requests SET content_sha256 = 'f' || substr(content_sha256, 2), seed = seed + 1 "
                       "WHERE request_id = ?", request)
            expect_row(run_folder, name, request, custom, "requests.seed")
        with changed(store):
            sql(store, "DELETE FROM scores WHERE request_id = ?", request)
            expect_row(run_folder, name, request, "no score")
        with changed(store):
            sql(store, "UPDATE attempts SET finished_unix_us = 1 WHERE request_id = ?", request)
            expect_row(run_folder, name, request, "attempt")
        with changed(store):  # a page that SQLite cannot read
            data = bytearray(store.read_bytes())
            data[4096:8192] = b"\x5a" * 4096
            store.write_bytes(bytes(data))
            expect_row(run_folder, name)
    verify(run_folder)


def content(store):
    """What the arm's numbers come from; None where SQLite cannot read it."""
    try:
        return [sql(store, query) for query in (
            "SELECT request_id, custom_id, item_key, sample_index, type, seed, content_sha256 FROM requests ORDER BY position",
            "SELECT * FROM results ORDER BY request_id", "SELECT * FROM scores ORDER BY request_id")]
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def check_any_byte(run_folder):
    """Any byte of a store: found whenever it changes what is stored, and never a crash."""
    seed = int(os.environ.get("PROMPTSWEEP_TEST_SEED", 7))
    r = random.Random(seed)
    store = sorted(run_folder.glob("shared_controls/*/arm.sqlite"))[0]
    before = content(store)
    found = 0
    used = [at for at, byte in enumerate(store.read_bytes()) if byte != 0]
    for _ in range(60):
        at, bit = r.choice(used), 1 << r.randrange(8)
        with changed(store):
            data = bytearray(store.read_bytes())
            data[at] ^= bit
            store.write_bytes(bytes(data))
            done = subprocess.run([PROGRAM, "verify", str(run_folder)], capture_output=True, text=True, timeout=120)
            assert done.returncode in (0, 1), (seed, at, bit, done.returncode, done.stdout, done.stderr)
            found += done.returncode
            for side in ("-wal", "-shm"):
                assert not os.path.exists(f"{store}{side}")
            same = done.returncode == 1 or content(store) == before
            for side in ("-wal", "-shm", "-journal"):  # of our own look at a damaged header
                pathlib.Path(f"{store}{side}").unlink(missing_ok=True)
            assert same, (seed, at, bit, done.stdout)
    print(f"seed {seed}: {found} of 60 flipped bits were found; the others changed nothing that is stored")


def check_any_byte_of_the_plan(run_folder):
    """A damaged plan may hide everything; it ends neither in a crash nor in an endless loop."""
    r = random.Random(7)
    store = run_folder / "run.sqlite"
    used = [at for at, byte in enumerate(store.read_bytes()) if byte != 0]
    codes = []
    for _ in range(30):
        at = r.choice(used)
        with changed(store):
            data = bytearray(store.read_bytes())
            data[at] ^= 1 << r.randrange(8)
            store.write_bytes(bytes(data))
            done = subprocess.run([PROGRAM, "verify", str(run_folder)], capture_output=True, text=True, timeout=120)
            assert done.returncode in (0, 1, 2) and "internal error" not in done.stderr, (at, done)
            codes.append(done.returncode)
    assert codes.count(1) > 20, codes


def check_pinned(run_folder):
    store = run_folder / "run.sqlite"
    pinned = sql(store, "SELECT items_sha256 FROM items LIMIT 1")[0][0]
    key = sql(store, "SELECT item_key FROM items WHERE document LIKE '%letter 3%'")[0][0]
    with changed(store):
        sql(store, "UPDATE items SET document = replace(document, 'letter 3', 'letter 5') WHERE item_key = ?", key)
        expect_row(run_folder, "run.sqlite", pinned)
        arm = next(run_folder.glob("shared_controls/*/arm.sqlite")).relative_to(run_folder)
        expect_row(run_folder, str(arm), key, "content_sha256")  # the prompt that was asked is another
    with changed(store):  # gold enters no prompt
        sql(store, "UPDATE items SET document = replace(document, 'Cedar\"]', 'Cedxr\"]') WHERE item_key = ?", key)
        expect_row(run_folder, "run.sqlite", pinned)
    with changed(store):
        sql(store, "UPDATE meta SET value = value || ' ' WHERE key = 'effective_config'")
        expect_row(run_folder, "run.sqlite", "effective_config")
    with changed(store):
        sql(store, "UPDATE meta SET value = replace(value, '\"random_seed\":1337', '\"random_seed\":1338') "
                   "WHERE key = 'result_settings'")
        differences(run_folder)
    verify(run_folder)


def check_files(run_folder):
    trial = sorted(p.parent.parent for p in run_folder.glob("*/results/predictions.csv"))[1]
    files = [trial / "results/predictions.csv", trial / "results/per_item_scores.csv", trial / "results/significance.json",
             trial / "results/costs.json", trial / "reports/report.md", trial / "trial_manifest.json",
             run_folder / "significance.json", run_folder / "costs.json", run_folder / "aggregate_report.md",
             run_folder / "multi_trial_manifest.json", run_folder / "effective_config.yaml"]
    for path in files:
        name = str(path.relative_to(run_folder))
        lines = path.read_bytes().splitlines(keepends=True)
        for number in (1, len(lines) // 2, len(lines)):
            start = sum(len(line) for line in lines[:number - 1])
            with changed(path):
                flip(path, start + (len(lines[number - 1]) - 1) // 2)
                one = expect_row(run_folder, name, f"line {number}")
                if path.name == "predictions.csv" and number > 1:
                    assert any(kind in one["row"] for kind in ("|control|", "|treatment|")), one
                if path.name == "per_item_scores.csv" and number > 1:
                    assert "|" in one["row"] and ("control" in one["row"] or "treatment" in one["row"]), one
        with changed(path):
            path.write_bytes(path.read_bytes()[:-1])
            expect_row(run_folder, name, f"line {len(lines)}")
        before = path.read_bytes()
        path.unlink()
        expect_row(run_folder, name, "missing")
        path.write_bytes(before)
    verify(run_folder)


def check_sealed(folder):
    run(folder, "--archive", "--run_id", "sealed")
    sealed = folder / "experiments/run_sealed"
    before = snapshot(sealed)
    assert json.loads(verify(sealed, 0, "--json"))["checked"]["sealed_files"] == \
        len([name for name in before if not str(name).endswith(".lock")]) - 1  # the sums
    assert snapshot(sealed) == before, "verify changed a sealed run"
    for name in ("costs.json", "run.sqlite"):
        with changed(sealed / name):
            flip(sealed / name, (sealed / name).stat().st_size - 3)
            expect_row(sealed, name, "sealed")
    with changed(sealed / "SHA256SUMS"):
        flip(sealed / "SHA256SUMS", 5)
        expect_row(sealed, (sealed / "SHA256SUMS").read_text().splitlines()[0][66:], "SHA256SUMS line 1")
    (sealed / "note.txt").write_text("x")
    expect_row(sealed, "note.txt", "came after")
    (sealed / "note.txt").unlink()
    os.rename(sealed / "costs.json", folder / "kept")
    expect_row(sealed, "SHA256SUMS", "costs.json")
    os.rename(folder / "kept", sealed / "costs.json")
    verify(sealed)


def check_speed_is_recorded(folder):
    """A run in two invocations: its reports are made again from what it recorded, not from a clock."""
    run(folder, "--run_id", "twice", "--prompt_sets", "alpha")
    run(folder, "--run_id", "twice")
    twice = folder / "experiments/run_twice"
    aggregate = (twice / "aggregate_report.md").read_text()
    row = next(line for line in aggregate.splitlines() if "/reports/report.md)" in line)
    assert float(row.split("|")[-3]) > 0, row  # items a minute
    verify(twice)
    store = twice / "run.sqlite"
    with changed(store):
        value = sql(store, "SELECT value FROM meta WHERE key = 'result_settings'")[0][0]
        settings = json.loads(value)
        for speed in settings["speeds"].values():
            speed["seconds"] *= 2
        sql(store, "UPDATE meta SET value = ? WHERE key = 'result_settings'", json.dumps(settings))
        expect_row(twice, "aggregate_report.md")
    verify(twice)


def check_refusals(folder):
    assert "no run" in verify(folder / "nowhere", 2)
    empty = folder / "experiments/run_empty"
    empty.mkdir()
    (empty / "run.sqlite").write_bytes(b"")
    assert differences(empty)[0]["file"] == "run.sqlite"
    done = subprocess.run([PROGRAM, "verify", "main"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr  # by its id
    db = sqlite3.connect(folder / "experiments/run_main/run.sqlite")
    db.execute("INSERT INTO meta VALUES('other', '')")
    db.execute("DELETE FROM meta WHERE key = 'other'")
    db.commit()  # as a process that writes: its log lies beside the store
    assert "another process" in verify(folder / "experiments/run_main", 2)
    db.close()
    # Answers without results: killed before it came to them.
    main = folder / "experiments/run_main"
    unfinished = folder / "experiments/run_unfinished"
    shutil.copytree(main, unfinished)
    sql(unfinished / "run.sqlite", "UPDATE meta SET value = 'incomplete' WHERE key = 'state'")
    store = next(unfinished.glob("shared_controls/*/arm.sqlite"))
    request = sql(store, "SELECT request_id FROM results LIMIT 1")[0][0]
    for table in ("scores", "results", "attempts"):
        sql(store, f"DELETE FROM {table} WHERE request_id = ?", request)
    report = json.loads(verify(unfinished, 0, "--json"))
    assert any("older than" in note for note in report["notes"]), report
    sql(unfinished / "run.sqlite", "UPDATE meta SET value = 'complete' WHERE key = 'state'")
    differences(unfinished)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    scratch = folder / "scratch"
    scratch.mkdir()
    os.environ["TMPDIR"] = str(scratch)
    write_sweep(folder)
    run(folder, "--run_id", "main")
    main = folder / "experiments/run_main"
    before = snapshot(main)
    checked = json.loads(verify(main, 0, "--json"))["checked"]
    assert snapshot(main) == before, "verify changed the run"
    print(checked)
    assert checked["responses"] == checked["requests"] == 3 * 20 + 3 * 40, checked
    assert 0 < checked["scores"] < checked["responses"]
    assert checked["items"] == 20 and checked["stores"] == 6 and checked["rendered_files"] == 2 * 6 + 5
    assert "verified" in verify(main)
    check_files(main)
    check_stores(main)
    check_any_byte(main)
    check_any_byte_of_the_plan(main)
    check_pinned(main)
    assert {k: v[0] for k, v in snapshot(main).items()} == {k: v[0] for k, v in before.items()}
    check_sealed(folder)
    check_speed_is_recorded(folder)
    check_refusals(folder)
    assert not list(scratch.iterdir()), "files were left behind"
