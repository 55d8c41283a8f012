#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes config/datasets/demo_closed_book.jsonl and demo_open_book.jsonl."""
from __future__ import annotations

import json
from pathlib import Path

import corpus


def write(path: Path, items: list[dict]) -> None:
    ids = [item["id"] for item in items]
    if len(set(ids)) != len(ids):
        raise SystemExit(f"{path}: ids are not unique: {sorted(i for i in ids if ids.count(i) > 1)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(item, ensure_ascii=False) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(items)} items")


def main() -> None:
    folder = corpus.REPOSITORY / "config" / "datasets"
    write(folder / "demo_closed_book.jsonl", corpus.closed_items())
    write(folder / "demo_open_book.jsonl", corpus.open_items())


if __name__ == "__main__":
    main()
