#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real server: llama-server of the pinned llama.cpp on the demonstration model. Greedy answers must
equal those of the plugin in this process for at least 99 % of the requests; the others are listed.

  llama_server_test.py PROGRAM SOURCE_FOLDER BUILD_LLAMA_SCRIPT"""
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import harness

MODEL = "promptsweep-demo-small"
KEY = "llama-server-test-key"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LlamaServer:
    def __init__(self, program, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(folder / "llama-server.log", "w")
        self.process = subprocess.Popen(
            [program, "-m", str(harness.ROOT / f"models/{MODEL}.gguf"), "--alias", MODEL, "--host", "127.0.0.1", "--port",
             str(self.port), "-c", "512", "-np", "1", "-t", "1", "--api-key", KEY, "--no-warmup"],
            stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()[-3000:]
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=5) as reply:
                    if reply.status == 200:
                        return self
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.1)
        raise AssertionError("llama-server does not become ready")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


def answers(run_folder):
    return {(key, row["custom_id"]): (row["status"], row["response_text"])
            for key, trial in harness.trials(run_folder).items() for row in harness.predictions(trial)}


def run(folder, *arguments):
    harness.run(folder, "--models", MODEL, "--prompt_sets", "full_treatment", *arguments,
                environment={"OPENAI_API_KEY": KEY})
    return answers(harness.only_run(folder))


if __name__ == "__main__":
    harness.use(sys.argv)
    built = subprocess.run([sys.argv[3], "--server"], capture_output=True, text=True, timeout=3000)
    assert built.returncode == 0, built.stderr
    program = pathlib.Path(built.stdout.strip()) / "bin/llama-server"
    with harness.temporary() as temporary:
        folder = pathlib.Path(temporary)
        inside = run(f"{folder}/inside", "--set", "backend_options.deterministic=true")
        with LlamaServer(program, folder) as server:
            options = {"base_url": server.url + "/v1", "api_key": "OPENAI_API_KEY", "max_concurrent_requests": 1}
            remote = run(f"{folder}/remote", "--set", "backend=openai_compatible",
                         "--set", f"models=[{{\"id\": \"{MODEL}\", \"alias\": \"demo-small\"}}]",
                         "--set", f"backend_options={json.dumps(options)}")
        assert inside.keys() == remote.keys() and len(inside) >= 500, (len(inside), len(remote))
        differing = [key for key in inside if inside[key] != remote[key]]
        for key in differing:
            print(f"{key}: in process {inside[key]!r}, llama-server {remote[key]!r}")
        print(f"{len(inside) - len(differing)} of {len(inside)} answers are equal")
        assert len(differing) <= len(inside) // 100
