#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py FOLDER EMULATOR NAME: drives the emulator with the client test NAME.mjs in FOLDER."""
import os
import pathlib
import subprocess
import sys

folder, emulator, name = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if not (folder / "installed.json").exists():
    print("skipped: the official clients are not installed")
    sys.exit(77)
environment = {**os.environ, "PROMPTSWEEP_EMULATOR": emulator, "NO_PROXY": "127.0.0.1"}
sys.exit(subprocess.run(["node", "--test", f"{name}.mjs"], cwd=folder, env=environment, check=False).returncode)
