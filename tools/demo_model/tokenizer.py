# SPDX-License-Identifier: Apache-2.0
"""A byte-level BPE tokenizer in the layout of GPT-2, and its training.

Merges inside words are learned on words without their leading space; the
merges that attach a leading space to a piece come last.  So a word is cut
into the same pieces with and without the space before it, which makes it
easier for a tiny model to copy a word from the middle of a passage to the
start of an answer.
"""
from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Iterable

CONTROL_PIECES = ("<|im_start|>", "<|im_end|>")
# The pre-tokenizer called "gpt-2" in llama.cpp, with letters and digits as Python's re knows them.
PRE_TOKEN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
CONTROL = re.compile("(" + "|".join(re.escape(p) for p in CONTROL_PIECES) + ")")


def byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in a GPT-2 vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in printable}
    spare = 256
    for b in range(256):
        if b not in letters:
            letters[b] = chr(spare)
            spare += 1
    return letters


LETTERS = byte_letters()
SPACE = LETTERS[32]


def to_letters(text: str) -> str:
    return "".join(LETTERS[b] for b in text.encode("utf-8"))


class Tokenizer:
    def __init__(self, merges: list[tuple[str, str]]) -> None:
        self.merges = merges
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.pieces = [LETTERS[b] for b in range(256)] + [a + b for a, b in merges] + list(CONTROL_PIECES)
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.cache: dict[str, list[int]] = {}
        self.bytes = {letter: b for b, letter in LETTERS.items()}

    @property
    def end(self) -> int:
        return self.ids["<|im_end|>"]

    def split(self, word: str) -> list[str]:
        parts = list(word)
        while len(parts) > 1:
            ranked = [(self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:]))]
            rank, i = min(ranked)
            if rank == 1 << 30:
                break
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        return parts

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for chunk in CONTROL.split(text):
            if chunk in CONTROL_PIECES:
                ids.append(self.ids[chunk])
                continue
            for word in PRE_TOKEN.findall(chunk):
                if word not in self.cache:
                    self.cache[word] = [self.ids[p] for p in self.split(to_letters(word))]
                ids += self.cache[word]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        letters = "".join(self.pieces[i] for i in ids if self.pieces[i] not in CONTROL_PIECES)
        return bytes(self.bytes[c] for c in letters).decode("utf-8", "replace")

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"merges": self.merges}, ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> "Tokenizer":
        return Tokenizer([tuple(m) for m in json.loads(path.read_text(encoding="utf-8"))["merges"]])


def train_tokenizer(counts: Counter[str], word_merges: int, space_merges: int) -> Tokenizer:
    """`counts`: text -> weight.  Ties are broken by the pieces themselves, so the result is reproducible."""
    words: Counter[str] = Counter()
    spaced: Counter[str] = Counter()
    for text, weight in counts.items():
        for chunk in CONTROL.split(text):
            if chunk in CONTROL_PIECES:
                continue
            for word in PRE_TOKEN.findall(chunk):
                letters = to_letters(word)
                if letters.startswith(SPACE) and len(letters) > 1:
                    letters = letters[1:]
                    spaced[letters] += weight
                words[letters] += weight

    splits = {word: list(word) for word in words}
    merges: list[tuple[str, str]] = []
    for _ in range(word_merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in splits.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        if pairs[best] < 3:
            break
        merges.append(best)
        joined = "".join(best)
        for parts in splits.values():
            i = 0
            while i < len(parts) - 1:
                if (parts[i], parts[i + 1]) == best:
                    parts[i:i + 2] = [joined]
                i += 1

    first_pieces: Counter[str] = Counter()
    for word, weight in spaced.items():
        first_pieces[splits[word][0]] += weight
    leading = sorted(first_pieces, key=lambda p: (-first_pieces[p], p))[:space_merges]
    return Tokenizer(merges + [(SPACE, piece) for piece in leading])
