# SPDX-License-Identifier: Apache-2.0
"""Starts promptsweep-emulator for tests in Python and speaks HTTP to it, byte by byte if need be."""
import http.client
import json
import subprocess
import tempfile
import time
import urllib.parse


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.decode().splitlines() if line.strip()]

    def events(self):
        """The objects of server-sent events, "[DONE]" as that string."""
        found = []
        for line in self.body.decode().splitlines():
            if line.startswith("data: "):
                found.append(line[6:] if line == "data: [DONE]" else json.loads(line[6:]))
        return found


def send(url, method="GET", body=None, headers=None, timeout=10):
    """One request on a connection of its own. Raises what http.client raises."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, target, body, headers or {})
        reply = connection.getresponse()
        return Answer(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


class Emulator:
    """with Emulator(program, "ollama", "--model", "m", faults=[...], answers=[...]) as e: ..."""

    def __init__(self, program, service, *options, faults=None, answers=None, seed=1, key=None):
        self.folder = tempfile.TemporaryDirectory()
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        command = [str(program), service, "--seed", str(seed), *(str(option) for option in options)]
        if key:
            command += ["--key", key]
        if faults is not None:
            command += ["--faults", self._file("faults.json", json.dumps({"seed": seed, "faults": faults}))]
        if answers is not None:
            command += ["--answers", self._file("answers.jsonl", "".join(json.dumps(a) + "\n" for a in answers))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening http://"), line
        self.url = line.split()[1]

    def _file(self, name, text):
        path = f"{self.folder.name}/{name}"
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            send(self.url + "/_emulator/stop", "POST")
        except OSError:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()

    def send(self, path, method="GET", body=None, headers=None, timeout=10):
        url = path if path.startswith("http") else self.url + path
        return send(url, method, body, {**self.headers, **(headers or {})}, timeout)

    def post(self, path, body, headers=None, timeout=10):
        return self.send(path, "POST", body, headers, timeout)

    def counts(self):
        return self._control("/_emulator/counts").json()

    def script(self, faults, seed=1):
        """From now on these faults strike, and no others; what earlier ones changed is as before."""
        answer = self._control("/_emulator/faults", "POST", {"faults": faults, "seed": seed})
        assert answer.status == 200, answer.body

    def _control(self, *request):
        """Tried again for a while: a fault may have closed the port."""
        for patience in range(20, -1, -1):
            try:
                return send(self.url + request[0], *request[1:], timeout=30)
            except OSError:
                if patience == 0:
                    raise
                time.sleep(0.1)


def list_faults(program, service):
    done = subprocess.run([program, service, "--list-faults"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
