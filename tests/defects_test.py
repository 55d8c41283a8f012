#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every test that DEFECTS.md names exists, and every defect that must have one has a row."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
WANTED = [*range(1, 13), 15, 16, *range(20, 32), *range(35, 44), 45]

rows = [line.split(" | ") for line in (HERE / "DEFECTS.md").read_text().splitlines() if line.startswith("| D")]
found, missing, cases = set(), [], 0
for defect, _, tests in rows:
    found.add(int(defect[3:]))
    named = re.findall(r"`([^`]+\.(?:cc|py))`(?:: ([^;`|]*))?", tests)
    if not named:
        missing.append((defect, "no test"))
    for file, names in named:
        text = (HERE / file).read_text() if (HERE / file).exists() else None
        if text is None:
            missing.append((defect, file))
            continue
        for name in re.findall(r"\w{6,}", names):
            cases += 1
            if not re.search(rf"(TEST_CASE\(|def ){name}\b", text):
                missing.append((defect, file, name))
assert not missing, missing
assert set(WANTED) <= found, set(WANTED) - found
assert cases > 100, cases
print(f"{len(rows)} defects, {cases} test cases")
