#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wrong key, an unknown model, a server that is down, a typo: one clear message each, before any work.

  services_test.py PROGRAM SOURCE_FOLDER EMULATOR"""
import pathlib
import socket
import subprocess
import sys

import harness
import parity_test as parity
from parity_test import Emulator

harness.use(sys.argv)
EMULATOR = sys.argv[3]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(command, folder, backend, options, key=parity.KEY, model=parity.MODEL):
    path = parity.sweep_file(folder, backend, options)
    path.write_text(path.read_text().replace(f"id: {parity.MODEL}", f"id: {model}"))
    done = subprocess.run([harness.PROGRAM, command, "--config", str(path), *(["--quiet"] if command == "run" else [])],
                          capture_output=True, text=True, timeout=60, cwd=harness.ROOT,
                          env={"PATH": "/usr/bin:/bin", "FIREWORKS_API_KEY": key, "OPENAI_API_KEY": key})
    assert key not in done.stdout + done.stderr, "a key was printed"
    return done


def refused(folder, what, expect_words, *arguments, run_exit=2, **named):
    """check says it in one line and exits with 2; run says the same before it makes anything."""
    check = call("check", folder, *arguments, **named)
    assert check.returncode == 2, (what, check.returncode, check.stdout, check.stderr)
    text = check.stdout + check.stderr
    lines = [line for line in text.splitlines() if any(word in line for word in expect_words)]
    assert len(lines) == 1 and all(word in lines[0] for word in expect_words), (what, expect_words, text)
    run = call("run", folder, *arguments, **named)
    assert run.returncode == run_exit, (what, run.returncode, run.stdout, run.stderr)
    assert all(word in run.stderr for word in expect_words), (what, run.stderr)
    assert not (folder / "experiments").exists(), f"{what}: the run made something"
    print(f"{what}: {lines[0].strip()}")


def test(folder, name):
    backend, service, options = parity.BACKENDS[name]
    with Emulator(EMULATOR, service, "--model", parity.MODEL, key=parity.KEY, seed=7) as server:
        good = options(server.url)
        ready = call("check", folder, backend, good)
        assert ready.returncode == 0 and "ready" in ready.stdout, (name, ready.stdout, ready.stderr)
        assert server.counts()["answers"]["given"] == 0, "check asked a question"
        assert server.counts()["loads"] == server.counts()["unloads"] == 0, "check loaded or unloaded a model"
        refused(folder, f"{name}, unknown model", ["no-such-model"], backend, good, model="no-such-model")
        if service != "ollama":
            refused(folder, f"{name}, wrong key", ["API_KEY"], backend, good, key="wrong-key-000000")
        refused(folder, f"{name}, typo", ["sweep.yaml", "mx_concurrent"], backend, {**good, "mx_concurrent": 3})
    down = f"http://127.0.0.1:{closed_port()}"
    refused(folder, f"{name}, server down", [down.removeprefix("http://")], backend, options(down), run_exit=1)


with harness.temporary() as temporary:
    for name, (_, service, _) in parity.BACKENDS.items():
        if service is not None:
            folder = pathlib.Path(temporary) / name
            folder.mkdir()
            test(folder, name)
