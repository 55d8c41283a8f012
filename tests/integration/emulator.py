# SPDX-License-Identifier: Apache-2.0
"""Starts the emulator of a service (tests/emulators) for as long as a test needs it."""
import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.request


class Emulator:
    def __init__(self, program, service, *arguments):
        self.command = [str(program), service, *[str(argument) for argument in arguments]]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening "), (self.command, line)
        self.url = line.split()[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path, body=None):
        """Tried again for a while: a fault may have closed the port."""
        for patience in range(20, -1, -1):
            try:
                with urllib.request.urlopen(self.url + path, body, timeout=30) as reply:
                    return json.load(reply)
            except urllib.error.URLError:
                if patience == 0:
                    raise
                time.sleep(0.1)

    def play(self, script):
        """From now on the faults of this script strike, and no others."""
        self.get("/_emulator/faults", json.dumps(script).encode())

    def counts(self):
        return self.get("/_emulator/counts")


def list_faults(program, service):
    done = subprocess.run([str(program), service, "--list-faults"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def write_answers(path, rows):
    pathlib.Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
