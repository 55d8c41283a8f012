#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""install.py FOLDER: copies the client tests there and installs the official clients beside them, at
the versions and with the SHA-512 sums of package-lock.json. Ends with 77 where npm reaches no
registry."""
import os
import pathlib
import shutil
import subprocess
import sys

SKIP = 77
SOURCES = pathlib.Path(__file__).resolve().parent
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH",
               "ERR_SOCKET_TIMEOUT", "ENOTCACHED", "UNABLE_TO_GET_ISSUER_CERT", "SELF_SIGNED_CERT")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.glob("*.mjs"):
        shutil.copy(source, folder)
    lock = (SOURCES / "package-lock.json").read_bytes()
    stamp = folder / "installed.json"
    if stamp.exists() and stamp.read_bytes() == lock:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        skip("node and npm are not installed")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder)
    environment = {**os.environ, "NODE_ENV": "production"}
    done = subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"], cwd=folder,
                          env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if any(code in done.stderr for code in UNREACHABLE):
            skip("npm reaches no registry to fetch the official clients from")
        sys.exit(f"npm ci failed:\n{done.stderr}")
    stamp.write_bytes(lock)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
