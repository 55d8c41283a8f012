#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds config/schema/sweep_config.schema.json against the corpus: every good file is valid, every bad
file that a schema can see ("schema: refuses" in its .expected) is not. Skips without the Debian
packages python3-jsonschema and python3-yaml."""
import json
import pathlib
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

root = pathlib.Path(sys.argv[1])
schema = json.loads((root / "config/schema/sweep_config.schema.json").read_text())
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)


def text_keys(value):
    """JSON has text keys only: a YAML key 0.0 is the text "0.0"."""
    if isinstance(value, dict):
        return {str(k): text_keys(v) for k, v in value.items()}
    return [text_keys(v) for v in value] if isinstance(value, list) else value


def is_valid(path):
    return validator.is_valid(text_keys(yaml.safe_load(path.read_text())))


problems = []
corpus = root / "tests/config/corpus"
good = sorted((corpus / "good").glob("*.yaml")) + sorted((root / "config").glob("*.yaml"))
for path in good:
    if not is_valid(path):
        errors = [e.message for e in validator.iter_errors(text_keys(yaml.safe_load(path.read_text())))]
        problems.append(f"{path}: the schema refuses a good file: {errors[:2]}")
refused = 0
for path in sorted((corpus / "bad").glob("*.yaml")):
    wanted = "schema: refuses" in path.with_suffix(".expected").read_text()
    try:
        valid = is_valid(path)
    except yaml.YAMLError:
        continue
    if wanted:
        refused += 1
        if valid:
            problems.append(f"{path}: the schema lets a bad file pass")
print("\n".join(problems) or f"{len(good)} good files valid, {refused} bad files refused")
sys.exit(bool(problems) or len(good) < 12 or refused < 20)
