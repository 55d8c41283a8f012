#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration sweep over the real engine: six trials over eight arms, six different result
sets, each equal to what the same trial gives alone, whatever the order."""
import hashlib
import sys

import harness

harness.use(sys.argv)
DETERMINISTIC = ("--set", "backend_options.deterministic=true")


def digest(trial):
    answers = [row["response_text"] for row in harness.predictions(trial)]
    return hashlib.sha256("\0".join(answers).encode()).hexdigest()


with harness.temporary() as folder:
    first = harness.run(folder + "/all", "--limit_items", "40", *DETERMINISTIC)
    run_folder = harness.only_run(folder + "/all")
    together = harness.trials(run_folder)
    assert len(together) == 6, together
    assert len(harness.stores(run_folder)) == 8
    for path in harness.stores(run_folder):
        harness.check_store(path)
    for trial in together.values():
        for name in ("results/predictions.csv", "results/per_item_scores.csv", "results/significance.json",
                     "results/costs.json", "reports/report.md", "trial_manifest.json"):
            assert (trial / name).stat().st_size > 0, trial / name
        assert len(harness.predictions(trial)) == 80
    for name in ("multi_trial_manifest.json", "aggregate_report.md", "effective_config.yaml", "significance.json"):
        assert (run_folder / name).stat().st_size > 0, name
    digests = {digest(trial) for trial in together.values()}
    assert len(digests) == 6, "some trials gave the same answers"

    for (model, prompt_set), trial in together.items():
        alone = f"{folder}/{model}-{prompt_set}"
        harness.run(alone, "--limit-items", "40", *DETERMINISTIC, "--models", model, "--prompt_sets", prompt_set)
        single = harness.trials(harness.only_run(alone))[model, prompt_set]
        assert single.name == trial.name
        assert harness.results(single) == harness.results(trial), f"{trial.name} differs from the trial alone"

    harness.run(folder + "/blocked", "--limit_items", "40", *DETERMINISTIC, "--set", "order=blocked")
    blocked = harness.trials(harness.only_run(folder + "/blocked"))
    for key, trial in together.items():
        assert harness.predictions(blocked[key]) == harness.predictions(trial), "the order changed answers"

    harness.run(folder + "/parallel", "--limit_items", "40")
    parallel = harness.trials(harness.only_run(folder + "/parallel"))
    differing = total = 0
    for key, trial in together.items():
        for a, b in zip(harness.predictions(parallel[key]), harness.predictions(trial)):
            total += 1
            differing += a["response_text"] != b["response_text"]
    print(f"with n_parallel 4, {differing} of {total} answers differ from the deterministic ones")

    # A complete run that is named again has nothing to do, and says so.
    again = harness.run(folder + "/all", "--limit_items", "40", *DETERMINISTIC, "--run_id", run_folder.name[4:])
    assert "nothing to do" in again.stderr, again.stderr
