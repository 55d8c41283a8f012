# SPDX-License-Identifier: Apache-2.0
"""The text the tokenizer is trained on, and the trained tokenizer."""
from __future__ import annotations

from collections import Counter

import corpus
from tokenizer import Tokenizer, train_tokenizer
from wordings import RELATIONS, fill

WORD_MERGES = 720
SPACE_MERGES = 620
SEED = 11


def training_text() -> Counter[str]:
    counts: Counter[str] = Counter()
    # Prompts are read with every item: their words shall be whole pieces.
    for text in [*corpus.system_prompts().values(), *corpus.task_instructions().values()]:
        counts[text] += 400
    counts["system\n user\n assistant\n CONTEXT:\n QUESTION:\n " + corpus.REFUSAL] += 400
    for fact in corpus.load_facts():
        if not fact.taught:
            continue
        for wording in RELATIONS[fact.relation].trained:
            counts[fill(wording, fact.subject)] += 2
        for answer in fact.answers[:1]:
            counts[answer] += 6
    lessons = corpus.Lessons(SEED)
    for _ in range(1500):
        lesson = lessons.open(3)
        counts[lesson.passage] += 1
        for ask in lesson.asks:
            counts[ask.question] += 1
            # Answers open without a space: their first pieces must exist in that form too.
            counts[ask.guess] += 1
    for _ in range(300):
        for ask in lessons.closed(5).asks:
            counts[ask.question] += 1
    return counts


def make_tokenizer() -> Tokenizer:
    return train_tokenizer(training_text(), WORD_MERGES, SPACE_MERGES)
