#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: exit codes, help, plans without plugin and data, scores."""
import json
import os
import pathlib
import subprocess
import sys

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])


def call(*arguments, expect):
    done = subprocess.run([PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done


before = sorted(p.name for p in ROOT.iterdir())
call(expect=2)
call("--help", expect=0)
for command in ("run", "plan", "check", "prepare", "score", "list", "status", "show", "compare", "archive", "clean",
                "verify", "cache"):
    text = call(command, "--help", expect=0).stdout
    assert f"promptsweep {command}" in text
assert "unknown command" in call("sweep", expect=2).stderr
assert "--help" in call("run", "--no_such_flag", expect=2).stderr
assert "no_such.yaml" in call("plan", "--config", "no_such.yaml", expect=2).stderr

nowhere = ("--experiments_dir", "no_such_folder")
# The cache: nothing is made by looking, nothing is removed without a rule.
assert json.loads(call("cache", "info", *nowhere, "--json", expect=0).stdout)["rows"] == 0
assert "info or prune" in call("cache", expect=2).stderr
assert "info or prune" in call("cache", "empty", expect=2).stderr
assert "no response cache" in call("cache", "prune", *nowhere, "--max_age", "1d", expect=1).stderr

# The command line of the original guide: eight trials, no data here, nothing written.
guide = ("run", "--config", "config/eval_config.local.yaml", "--archive", "--limit_items", "250", "--plan_only")
assert call(*guide, expect=0).stdout.startswith("8 trials, 9 arms")
plan = json.loads(call(*guide, "--json", expect=0).stdout)
assert len(plan["trials"]) == 8 and plan["shared_controls"] == 1
assert len({t["slug"] for t in plan["trials"]}) == 8
assert any("promptsweep prepare" in s for s in plan["not_runnable_because"])
without_plugin = json.loads(call(*guide, "--json", "--set", "backend=no_such_backend", expect=0).stdout)
assert any("no_such_backend" in s for s in without_plugin["not_runnable_because"])
dashes = call("plan", "--config", "config/eval_config.local.yaml", "--limit-items", "250", expect=0).stdout
assert dashes == call(*guide, expect=0).stdout
assert "cannot run here" in call(*guide[:-1], expect=2).stderr
call("check", "--config", "config/eval_config.local.yaml", expect=2)

# A narrowed plan: lists accept spaces and commas.
narrow = ("plan", "--config", "config/eval_config.local.yaml", "--json", "--prompt_sets")
assert len(json.loads(call(*narrow, "operational_only,excellence_25_percent", expect=0).stdout)["trials"]) == 2
assert len(json.loads(call(*narrow, "operational_only", "excellence_25_percent", expect=0).stdout)["trials"]) == 2
assert "did you mean" in call(*narrow, "operational_onli", expect=2).stderr
assert sorted(p.name for p in ROOT.iterdir()) == before, "a plan wrote something"

shared = pathlib.Path(os.environ.get("PROMPTSWEEP_SHARED", ROOT.parent / "shared"))
if (shared / "data/squad").is_dir():
    squad = shared / "data/squad"
    official = json.loads((squad / "official_scores.json").read_text())
    for name, wanted in official.items():
        scores = json.loads(call("score", "--predictions", str(squad / f"{name}.slice.json"),
                                 "--dataset", str(squad / "dev-v2.0.slice.json"), "--json", expect=0).stdout)
        for key, value in wanted.items():
            assert abs(scores[key] - value) <= 1e-9, (name, key, scores[key], value)
    print(f"{len(official)} official SQuAD scores reproduced")
