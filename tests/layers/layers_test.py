#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if a file of core/ includes something that core/LAYERS does not allow, if LAYERS has a
cycle, or if this checker would miss a violation (it checks itself on seeded ones first)."""
import pathlib
import re
import sys
import tempfile


def load(path):
    modules, owners = {}, {}
    for line in path.read_text().splitlines():
        key, _, names = line.split("#")[0].partition(":")
        if key.strip():
            target = owners if key.startswith("<") else modules
            target[key.strip().lstrip("<")] = names.split()
    return modules, owners


def cycles(modules):
    done = set()
    while True:
        ready = [m for m in modules if m not in done and set(modules[m]) <= done]
        if not ready:
            return sorted(set(modules) - done)
        done.update(ready)


def violations(core):
    modules, owners = load(core / "LAYERS")
    for name in cycles(modules):
        yield f"core/LAYERS: {name} is on a cycle or names an unknown module"
    for file in sorted(core.rglob("*.[hc]*")):
        module = file.relative_to(core).parts[0]
        for number, line in enumerate(file.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
            if not include:
                continue
            target = include[2]
            used = target.split("/")[0]
            place = f"{file}:{number}"
            owner = [p for p in owners if target.startswith(p)]
            if owner:
                if module not in owners[owner[0]]:
                    yield f'{place}: "{target}" belongs to {" ".join(owners[owner[0]])}'
            elif include[1] == '"' and used != module and used not in modules.get(module, ()):
                yield f'{place}: {module} may not include "{target}"'


def check_the_checker():
    with tempfile.TemporaryDirectory() as folder:
        core = pathlib.Path(folder)
        (core / "LAYERS").write_text("low:\nhigh: low\n<sqlite3.h: high\n")
        for name, text in {
            "low/bad.h": '#include "high/x.h"\n',
            "low/escape.h": '#include "../high/x.h"\n',
            "low/foreign.cc": "#include <sqlite3.h>\n",
            "high/good.cc": '#include "low/x.h"\n#include <sqlite3.h>\n',
        }.items():
            (core / name).parent.mkdir(exist_ok=True)
            (core / name).write_text(text)
        found = list(violations(core))
        assert len(found) == 3, found
        (core / "LAYERS").write_text("low: high\nhigh: low\n")
        assert cycles(load(core / "LAYERS")[0]) == ["high", "low"]


check_the_checker()
found = list(violations(pathlib.Path(sys.argv[1])))
print("\n".join(found))
sys.exit(bool(found))
