#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The disk fills up at any point of a sweep: one clear error, exit code 1, what was answered before is
kept, and once there is room the same command goes on to the results of an undisturbed sweep.

A small tmpfs where one may be mounted; a limit on the size of a file (RLIMIT_FSIZE) everywhere."""
import os
import pathlib
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness

harness.use(sys.argv)
SWEEP = ("--limit_items", "12", "--models", "demo-small", "--set", "backend_options.deterministic=true", "--run_id", "x")


def rows(folder):
    return {name: [{k: v for k, v in row.items() if k != "attempt"} for row in harness.predictions(trial)]
            for name, trial in sorted(harness.trials(harness.only_run(folder)).items())}


def answered(folder):
    """Accepted answers by store; what is there must stay."""
    import sqlite3
    out = {}
    for path in pathlib.Path(folder).glob("run_*/**/arm.sqlite"):
        try:
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            out[str(path)] = dict(db.execute("SELECT request_id, text FROM results"))
            db.close()
        except sqlite3.Error:
            pass  # not made yet, or a log that only a writer may recover on a full disk
    return out


def sweep(folder, preexec=None):
    return subprocess.run(harness.command(folder, *SWEEP), cwd=harness.ROOT, capture_output=True, text=True,
                          timeout=300, preexec_fn=preexec)


def check_refusal(done, words):
    assert done.returncode == 1, (done.returncode, done.stderr)
    said = done.stderr.lower()
    assert any(word in said for word in words), done.stderr


def check_goes_on(folder, kept, wanted, what):
    harness.run(folder, *SWEEP)
    after = answered(folder)
    for store, texts in kept.items():
        for request, text in texts.items():
            assert after[store].get(request) == text, f"{what}: an answer was lost or replaced"
    assert rows(folder) == wanted, f"{what}: differs from the undisturbed sweep"
    for path in harness.stores(harness.only_run(folder)):
        harness.check_store(path)


def size_of(folder):
    return sum(p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file())


with harness.temporary() as root:
    harness.run(root + "/undisturbed", *SWEEP)
    wanted = rows(root + "/undisturbed")
    whole = size_of(root + "/undisturbed")
    largest = max(p.stat().st_size for p in pathlib.Path(root, "undisturbed").rglob("*") if p.is_file())

    refused = 0
    for step in range(1, 9):
        limit = largest * step // 8
        folder = f"{root}/limit{step}"
        done = sweep(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        if done.returncode != 0:
            refused += 1
            check_refusal(done, ("file too large", "disk", "full"))
        check_goes_on(folder, answered(folder), wanted, f"files of at most {limit} bytes")
    print(f"RLIMIT_FSIZE: {refused} of 8 limits met the sweep")
    assert refused >= 4

    place = pathlib.Path(root, "tmpfs")
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        print("no tmpfs may be mounted here; that part is left out")
        sys.exit(0)
    refused = 0
    try:
        for step in range(1, 9):
            # A log beside each open store takes more than the finished files.
            size = whole * step // 6
            subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)
            folder = str(place / f"full{step}")
            done = sweep(folder)
            if done.returncode != 0:
                refused += 1
                check_refusal(done, ("no space", "disk", "full"))
            subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
            check_goes_on(folder, answered(folder), wanted, f"a disk of {size} bytes")
            shutil.rmtree(folder)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
    print(f"tmpfs: {refused} of 8 sizes met the sweep")
    assert refused >= 3
