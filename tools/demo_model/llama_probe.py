# SPDX-License-Identifier: Apache-2.0
"""llama_probe.cc, built against a finished llama.cpp and asked from Python."""
from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Probe:
    def __init__(self, llama: Path) -> None:
        """`llama`: a folder with include/ and lib/*.a, as cmake/build_llama.sh prints it."""
        self.folder = tempfile.TemporaryDirectory()
        self.program = Path(self.folder.name) / "llama_probe"
        archives = [str(path) for path in sorted((llama / "lib").glob("*.a"))]
        subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", f"-I{llama / 'include'}",
                        str(HERE / "llama_probe.cc"), "-Wl,--start-group", *archives, "-Wl,--end-group",
                        "-lpthread", "-ldl", "-lm", "-o", str(self.program)], check=True)

    def _ask(self, arguments: list[str], texts: list[str]) -> bytes:
        given = b"".join(text.encode("utf-8") + b"\0" for text in texts)
        return subprocess.run([str(self.program), *arguments], input=given, stdout=subprocess.PIPE, check=True).stdout

    def tokenize(self, model: Path, texts: list[str]) -> list[list[int]]:
        lines = self._ask([str(model), "tokenize"], texts).decode().splitlines()
        return [[int(word) for word in line.split()] for line in lines]

    def answer(self, model: Path, chats: list[tuple[str, str]], max_tokens: int) -> list[tuple[int, str]]:
        """Greedy answers to (system, user) pairs, each with the number of its prompt tokens."""
        raw = self._ask([str(model), "answer", str(max_tokens)], [text for chat in chats for text in chat])
        rows = []
        for part in raw.split(b"\0")[:-1]:
            length, _, text = part.partition(b" ")
            rows.append((int(length), text.decode("utf-8", "replace").strip()))
        return rows
