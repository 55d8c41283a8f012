#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests a second of a durable sweep against nginx with a static answer on loopback, 64 connections,
as ratios to rivals on the same server in the same run.

  http_bench.py PROGRAM BACKENDS CURL_LOOP CLIENT_LOOP [--items N] [--promptfoo FOLDER] [--node NODE]

Rivals: a bare libcurl-multi loop without JSON and without a store, psw::http::Client alone, wrk, and
promptfoo where FOLDER has its pinned version installed and NODE is new enough."""

import argparse
import json
import os
import pathlib
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import promptfoo_rival

CONNECTIONS = 64
ROUNDS = 3
ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "static",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 21, "completion_tokens": 1, "total_tokens": 22}}
MODELS = {"object": "list", "data": [{"id": "static", "object": "model", "owned_by": "nginx"}]}
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location = /v1/models {{ return 200 '{models}'; }}
    location = /v1/chat/completions {{ return 200 '{answer}'; }}
  }}
}}
"""
CONFIG = """
models: [{{id: static, alias: static}}]
backend: openai_compatible
backend_options: {{base_url: "http://127.0.0.1:{port}/v1", max_concurrent_requests: {connections}, adaptive: false, dialect: openai}}
prompt_sets: {{one: {{control: control.txt, treatment: one.txt}}}}
task_instructions: {{closed_book: instructions.txt, open_book: instructions.txt}}
datasets: [{{name: q, task: closed_book, format: csv, path: q.csv, columns: {{id: id, question: question, answers: answers}}}}]
temps: [0.0]
top_k: null
max_new_tokens: {{closed_book: 24, open_book: 24}}
"""


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        path = folder / "nginx.conf"
        path.write_text(NGINX.format(folder=folder, port=self.port, models=json.dumps(MODELS), answer=json.dumps(ANSWER)))
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(path), "-p", str(folder)])
        self.url = f"http://127.0.0.1:{self.port}"
        time.sleep(0.5)
        assert self.process.poll() is None, "nginx did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def program_rate(command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)


def wrk_rate(url, body, folder):
    script = folder / "post.lua"
    script.write_text(f"wrk.method='POST'\nwrk.body={json.dumps(body)}\nwrk.headers['Content-Type']='application/json'\n")
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", "-d5s", "-s", str(script), url + "/v1/chat/completions"],
                         capture_output=True, text=True, check=True, timeout=60).stdout
    return float(next(line for line in out.splitlines() if "Requests/sec" in line).split()[1])


def project(folder, items, port):
    folder.mkdir()
    (folder / "sweep.yaml").write_text(CONFIG.format(port=port, connections=CONNECTIONS))
    for name, text in (("control", "Answer."), ("one", "Answer with care."), ("instructions", "Reply in a word.")):
        (folder / f"{name}.txt").write_text(text + "\n")
    (folder / "q.csv").write_text("\n".join(["id,question,answers"] + [f"i{i},What is the capital {i}?,Paris" for i in range(items)]))


def sweep_rate(program, backends, folder):
    """(requests/s while requests were out, CPU s a request of the whole process, requests)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "run", "--config", "sweep.yaml", "--quiet", "--backend_path", backends, "--run_id", "b",
                    "--to_step", "poll"], cwd=folder, check=True, timeout=600, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    first, last, answered = None, None, 0
    for path in (folder / "experiments").glob("**/arm.sqlite"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        start = db.execute("SELECT min(created_unix_us) FROM jobs").fetchone()[0]
        end, count = db.execute("SELECT max(finished_unix_us), count(*) FROM results WHERE outcome = 'ok'").fetchone()
        first, last, answered = min(first or start, start), max(last or end, end), answered + count
        db.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return answered / ((last - first) / 1e6), cpu / answered, answered


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "backends", "curl_loop", "client_loop"):
        parser.add_argument(name, type=lambda path: str(pathlib.Path(path).absolute()))
    parser.add_argument("--items", type=int, default=15000)
    parser.add_argument("--promptfoo", type=lambda path: pathlib.Path(path).absolute())
    parser.add_argument("--node", default="node")
    wish = parser.parse_args()
    program, backends, items = wish.program, wish.backends, wish.items
    curl_loop, client_loop = wish.curl_loop, wish.client_loop
    for needed in ("wrk", "nginx"):
        if not shutil.which(needed) and not pathlib.Path(f"/usr/sbin/{needed}").exists():
            print(f"skipped: {needed} is not installed (apt-get install nginx-light wrk)")
            return 77
    body = json.dumps({"model": "static", "messages": [{"role": "system", "content": "Answer.\n"}, {"role": "user", "content": "Reply in a word.\n\nQUESTION:\nWhat is the capital 123?"}],
                       "max_tokens": 24, "temperature": 0.0, "top_p": 1.0})
    rows = {"curl_multi_loop": [], "client_loop": [], "wrk": [], "sweep": []}
    cpus = {"curl_multi_loop": [], "client_loop": [], "sweep": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        os.chmod(folder, 0o755)
        nginx = Nginx(folder)
        try:
            for round_number in range(ROUNDS):
                for name, loop in (("curl_multi_loop", curl_loop), ("client_loop", client_loop)):
                    measured = program_rate([loop, nginx.url + "/v1/chat/completions", str(CONNECTIONS), "40000", body])
                    rows[name].append(measured["requests_per_s"])
                    cpus[name].append(measured["cpu_us_per_request"] / 1e6)
                rows["wrk"].append(wrk_rate(nginx.url, body, folder))
                project(folder / f"p{round_number}", items, nginx.port)
                rate, cpu, answered = sweep_rate(program, backends, folder / f"p{round_number}")
                assert answered == 2 * items, (answered, items)
                rows["sweep"].append(rate)
                cpus["sweep"].append(cpu)
            skipped = promptfoo_rival.why_not(wish.node, wish.promptfoo)
            if skipped:
                print(f"skipped: {skipped}", file=sys.stderr)
            else:
                rival = folder / "promptfoo"
                rival.mkdir()
                rows["promptfoo"] = [promptfoo_rival.rate(wish.node, wish.promptfoo, nginx.url, CONNECTIONS, rival)]
        finally:
            nginx.stop()
    median = {name: statistics.median(values) for name, values in rows.items()}
    ratio = {name: median["sweep"] / value for name, value in median.items() if name != "sweep"}
    print(json.dumps({
        "requests_per_s": {k: round(v) for k, v in median.items()}, "rounds": ROUNDS, "connections": CONNECTIONS,
        "cpu_us_per_request": {k: round(statistics.median(v) * 1e6, 1) for k, v in cpus.items()},
        "sweep_to_curl_multi_loop": round(ratio["curl_multi_loop"], 3), "sweep_to_wrk": round(ratio["wrk"], 3),
        **({"sweep_to_promptfoo": round(ratio["promptfoo"], 1)} if "promptfoo" in ratio else {}),
        "client_to_curl_multi_loop": round(median["client_loop"] / median["curl_multi_loop"], 3)}, indent=1))
    return 0 if ratio["curl_multi_loop"] >= 0.6 and ratio.get("promptfoo", 50) >= 50 else 1


if __name__ == "__main__":
    sys.exit(main())
