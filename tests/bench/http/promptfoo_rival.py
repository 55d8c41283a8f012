# SPDX-License-Identifier: Apache-2.0
"""promptfoo on the same server and prompts, as a rival of http_bench.py."""
import json
import os
import pathlib
import subprocess
import time

PIN = json.loads((pathlib.Path(__file__).parent / "promptfoo/package.json").read_text())
# Nothing but the server on loopback is spoken to.
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
         "PROMPTFOO_DISABLE_SHARING": "1", "PROMPTFOO_CACHE_ENABLED": "false", "OPENAI_API_KEY": "none"}


def why_not(node, folder):
    """A sentence where promptfoo cannot be compared here, else None."""
    if folder is None:
        return "promptfoo is compared where --promptfoo names a folder with its pinned version installed"
    installed = folder / "node_modules/promptfoo/package.json"
    pinned = PIN["dependencies"]["promptfoo"]
    if not installed.exists() or json.loads(installed.read_text())["version"] != pinned:
        return f"promptfoo {pinned} is not installed in {folder} (npm install there)"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    needed = PIN["engines"]["node"].removeprefix(">=")
    if [int(n) for n in version.removeprefix("v").split(".")] < [int(n) for n in needed.split(".")]:
        return f"promptfoo {pinned} needs Node {needed} or later, this is {version} (--node names another)"
    return None


def seconds(node, folder, url, connections, questions, work):
    work.mkdir()
    config = {
        "prompts": [[{"role": "system", "content": "Answer.\n"},
                     {"role": "user", "content": "Reply in a word.\n\nQUESTION:\nWhat is the capital {{n}}?"}]],
        "providers": [{"id": "openai:chat:static", "config": {
            "apiBaseUrl": url + "/v1", "apiKey": "none", "max_tokens": 24, "temperature": 0}}],
        "tests": [{"vars": {"n": str(n)}} for n in range(questions)]}
    config["prompts"] = [json.dumps(config["prompts"][0])]
    (work / "promptfooconfig.json").write_text(json.dumps(config))
    entry = json.loads((folder / "node_modules/promptfoo/package.json").read_text())["bin"]["promptfoo"]
    started = time.monotonic()
    done = subprocess.run(
        [node, str(folder / "node_modules/promptfoo" / entry), "eval", "-c", "promptfooconfig.json", "-j", str(connections),
         "--no-cache", "--no-progress-bar", "--no-table", "--no-write", "-o", "out.json"],
        cwd=work, capture_output=True, text=True, timeout=600, env={**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(work / "home")})
    took = time.monotonic() - started
    stats = json.loads((work / "out.json").read_text())["results"]["stats"]
    assert stats["successes"] == questions, (done.returncode, stats, done.stdout[-2000:], done.stderr[-2000:])
    return took


def rate(node, folder, url, connections, work):
    """Requests a second without what starting costs: from two sizes."""
    few, many = 500, 2500
    return (many - few) / (seconds(node, folder, url, connections, many, work / "many")
                           - seconds(node, folder, url, connections, few, work / "few"))
