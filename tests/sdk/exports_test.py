#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin exports its entry and nothing else. usage: exports_test.py NM PLUGIN.so..."""
import subprocess
import sys

nm, *plugins = sys.argv[1:]
for plugin in plugins:
    listing = subprocess.run([nm, "-D", "--defined-only", plugin], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in listing.stdout.splitlines()]
    if names != ["psw_plugin_v1"]:
        sys.exit(f"{plugin} exports {names}")
