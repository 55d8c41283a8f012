#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the demonstration models again, from the data sets and prompts of this repository.

    tools/demo_model/make_models.py --llama-cpp "$(cmake/build_llama.sh --source-only)" --out models

Needs Debian's python3-torch, python3-numpy and libopenblas0. The two models are trained at the same
time, each on one processor; seeds are fixed.
"""
from __future__ import annotations

import argparse
import multiprocessing
import os
from pathlib import Path

# Read by OpenBLAS when torch is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gguf_file  # noqa: E402
from make_tokenizer import make_tokenizer  # noqa: E402
from model import Shape  # noqa: E402
from train import Schedule, train  # noqa: E402

MODELS = {
    "small": (Shape("small", 3, 120, 3, 320), Schedule(steps=1100, seed=1)),
    "large": (Shape("large", 5, 160, 4, 448), Schedule(steps=600, seed=2)),
}


def make(name: str, out: Path, llama_cpp: Path, keep_each: int) -> None:
    gguf_file.use_gguf_py(llama_cpp)
    shape, schedule = MODELS[name]
    tokenizer = make_tokenizer()
    path = out / f"promptsweep-demo-{name}.gguf"

    def checkpoint(model, step: int) -> None:
        if keep_each and step % keep_each == 0:
            gguf_file.write(path, model, tokenizer)

    model = train(shape, tokenizer, schedule, log=lambda text: print(text, flush=True), each_50=checkpoint)
    gguf_file.write(path, model, tokenizer)
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True, help="llama.cpp sources (for gguf-py)")
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--keep-each", type=int, default=0, help="also write the files each N steps (a multiple of 50)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    workers = [multiprocessing.Process(target=make, args=(name, arguments.out, arguments.llama_cpp, arguments.keep_each))
               for name in MODELS]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
