# SPDX-License-Identifier: Apache-2.0
"""Training of one model on the endless stream of lessons.

All lessons of a step share few prefixes (system prompt, task instructions), so
each prefix is computed once and its keys and values are lent to every row.
A row holds one passage (or none) and several questions; each question sees the
prefix, the passage and itself, exactly as if it had been asked alone.
"""
from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

import corpus
from model import Model, Shape, parameters
from tokenizer import SPACE, Tokenizer

BLOCKED = -1e9
ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class Schedule:
    steps: int
    seed: int
    rows_closed: int = 14
    rows_open: int = 28
    asks_closed: int = 7
    asks_open: int = 4
    rate: float = 3e-3
    warm_up: int = 60
    decay: float = 0.03


def prefix_text(system: str, instructions: str, task: str) -> str:
    label = "CONTEXT:\n" if task == "open_book" else "QUESTION:\n"
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{instructions}\n\n{label}"


def twins(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    twin = list(range(len(tokenizer.pieces)))
    spaced = [False] * len(twin)
    for number, piece in enumerate(tokenizer.pieces):
        if piece.startswith(SPACE) and len(piece) > 1:
            twin[number] = tokenizer.ids[piece[1:]]
            spaced[number] = True
    return torch.tensor(twin), torch.tensor(spaced)


class Prefixes:
    """The prefixes of one task, one per prompt set, padded to one length."""

    def __init__(self, tokenizer: Tokenizer, task: str) -> None:
        instructions = corpus.task_instructions()[task]
        rows = [tokenizer.encode(prefix_text(text, instructions, task)) for text in corpus.system_prompts().values()]
        self.lengths = torch.tensor([len(r) for r in rows])
        longest = int(self.lengths.max())
        self.ids = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
        self.positions = torch.arange(longest).expand(len(rows), -1)
        future = torch.full((longest, longest), BLOCKED).triu(1)
        self.mask = future.expand(len(rows), -1, -1)
        self.hidden = torch.zeros(len(rows), longest).masked_fill(self.positions >= self.lengths[:, None], BLOCKED)


@dataclass
class Batch:
    ids: Tensor
    positions: Tensor              # relative to the end of the prefix
    segments: Tensor               # 0: passage, 1..: questions, -1: padding
    targets: Tensor                # -100 where nothing is learned
    prompts: Tensor                # row -> prompt set


def lay_out(tokenizer: Tokenizer, lesson: corpus.Lesson, prompt_set: str) -> tuple[list[int], ...]:
    ids: list[int] = []
    if lesson.passage is not None:
        ids = tokenizer.encode(lesson.passage + "\n\nQUESTION:\n")
    shared = len(ids)
    positions = list(range(shared))
    segments = [0] * shared
    targets = [-100] * shared
    for number, ask in enumerate(lesson.asks, 1):
        question = tokenizer.encode(ask.question + ASSISTANT)
        answer = tokenizer.encode(ask.reply(prompt_set)) + [tokenizer.end]
        row = question + answer[:-1]
        ids += row
        positions += range(shared, shared + len(row))
        segments += [number] * len(row)
        targets += [-100] * (len(question) - 1) + answer
    return ids, positions, segments, targets


def make_batch(tokenizer: Tokenizer, lessons: list[tuple[corpus.Lesson, int]]) -> Batch:
    rows = [lay_out(tokenizer, lesson, corpus.PROMPT_SETS[p]) for lesson, p in lessons]
    longest = max(len(r[0]) for r in rows)

    def pad(column: int, filler: int) -> Tensor:
        return torch.tensor([r[column] + [filler] * (longest - len(r[column])) for r in rows])

    return Batch(pad(0, 0), pad(1, 0), pad(2, -1), pad(3, -100), torch.tensor([p for _, p in lessons]))


def loss_of(model: Model, prefixes: Prefixes, batch: Batch) -> Tensor:
    table = model.embedding()
    _, kept = model(prefixes.ids, prefixes.positions, prefixes.mask, embedding=table)
    past = [(k[batch.prompts], v[batch.prompts]) for k, v in kept]
    positions = batch.positions + prefixes.lengths[batch.prompts][:, None]
    rows, length = batch.ids.shape
    same = (batch.segments[:, :, None] == batch.segments[:, None, :]) | (batch.segments[:, None, :] == 0)
    order = torch.ones(length, length, dtype=torch.bool).tril()
    own = torch.zeros(rows, length, length).masked_fill(~(same & order), BLOCKED)
    seen = prefixes.hidden[batch.prompts][:, None, :].expand(-1, length, -1)
    state, _ = model(batch.ids, positions, torch.cat((seen, own), 2), past, table)
    chosen = batch.targets >= 0
    return F.cross_entropy(state[chosen] @ table.T, batch.targets[chosen])


def draw(lessons: corpus.Lessons, r: random.Random, rows: int, make) -> list[tuple[corpus.Lesson, int]]:
    """Rows in which one lesson appears under two prompt sets, so that the prompt explains the difference."""
    drawn = []
    while len(drawn) < rows:
        lesson = make()
        for prompt in r.sample(range(len(corpus.PROMPT_SETS)), 2):
            drawn.append((lesson, prompt))
    return drawn[:rows]


def train(shape: Shape, tokenizer: Tokenizer, schedule: Schedule, log=print, each_50=None) -> Model:
    torch.manual_seed(schedule.seed)
    # At this size threads cost more in waiting for each other than they gain.
    torch.set_num_threads(1)
    r = random.Random(schedule.seed)
    lessons = corpus.Lessons(schedule.seed)
    model = Model(shape, *twins(tokenizer))
    prefixes = {task: Prefixes(tokenizer, task) for task in ("closed_book", "open_book")}
    decayed = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": schedule.decay},
                                   {"params": plain, "weight_decay": 0.0}], lr=schedule.rate, betas=(0.9, 0.98))
    log(f"{shape.name}: {parameters(model)} parameters, {schedule.steps} steps")
    started = time.time()
    sums = {"closed_book": 0.0, "open_book": 0.0}
    for step in range(schedule.steps):
        warm = min(1.0, (step + 1) / schedule.warm_up)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / schedule.steps)))
        optimizer.zero_grad(set_to_none=True)
        for task, rows, make in (
                ("closed_book", schedule.rows_closed, lambda: lessons.closed(schedule.asks_closed)),
                ("open_book", schedule.rows_open, lambda: lessons.open(schedule.asks_open))):
            loss = loss_of(model, prefixes[task], make_batch(tokenizer, draw(lessons, r, rows, make)))
            loss.backward()
            sums[task] += float(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            log(f"  step {step + 1}: closed {sums['closed_book'] / 50:.3f}, open {sums['open_book'] / 50:.3f}, "
                f"{time.time() - started:.0f} s")
            sums = dict.fromkeys(sums, 0.0)
            if each_50:
                each_50(model, step + 1)
    return model
