#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints how the demonstration models behave under each demonstration prompt, as Markdown.

    tools/demo_model/evaluate.py --llama "$(cmake/build_llama.sh)" models/*.gguf

Answers are greedy and come from llama.cpp.  It first checks that llama.cpp cuts every prompt and
lesson into the pieces that training used.
"""
from __future__ import annotations

import argparse
import json
import string
from math import comb
from pathlib import Path

import corpus
from llama_probe import Probe
from make_tokenizer import make_tokenizer
from train import ASSISTANT, prefix_text

MAX_TOKENS = 24
HEAD = 100                         # the first items of both files together, in halves


def normalised(text: str) -> str:
    text = "".join(c for c in text.lower().replace("\u2019", "'") if c not in string.punctuation)
    return " ".join(word for word in text.split() if word not in ("a", "an", "the"))


def load_items() -> list[dict]:
    items: list[dict] = []
    for task in ("closed_book", "open_book"):
        path = corpus.REPOSITORY / "config" / "datasets" / f"demo_{task}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines():
            items.append({**json.loads(line), "task": task})
    return items


def user_turn(item: dict, instructions: dict[str, str]) -> str:
    passage = f"CONTEXT:\n{item['context']}\n\n" if item["task"] == "open_book" else ""
    return f"{instructions[item['task']]}\n\n{passage}QUESTION:\n{item['question']}"


def check_tokenizer(probe: Probe, model: Path, items: list[dict]) -> int:
    """Every evaluation prompt and 2,000 lessons; raises at the first difference."""
    tokenizer = make_tokenizer()
    prompts, instructions = corpus.system_prompts(), corpus.task_instructions()
    texts = []
    for item in items:
        passage = f"{item['context']}\n\nQUESTION:\n" if item["task"] == "open_book" else ""
        for system in prompts.values():
            texts.append(prefix_text(system, instructions[item["task"]], item["task"]) + passage + item["question"] + ASSISTANT)
    lessons = corpus.Lessons(5)
    for _ in range(1000):
        for lesson in (lessons.closed(2), lessons.open(2)):
            texts += [ask.question + ASSISTANT + ask.reply("control") + "<|im_end|>" for ask in lesson.asks]
            texts += [lesson.passage] if lesson.passage else []
    for text, ids in zip(texts, probe.tokenize(model, texts), strict=True):
        if tokenizer.encode(text) != ids:
            raise SystemExit(f"{model}: llama.cpp cuts this text otherwise: {text!r}")
    return len(texts)


class Marks:
    """0 or 1 for each item: correct, abstained, false answer."""

    def __init__(self, items: list[dict], answers: list[str]) -> None:
        refusal = normalised(corpus.REFUSAL)
        self.abstained = [int(normalised(a) == refusal) for a in answers]
        self.correct = []
        for item, answer, abstained in zip(items, answers, self.abstained):
            if item.get("is_unanswerable"):
                self.correct.append(abstained)
            else:
                self.correct.append(int(not abstained and normalised(answer) in [normalised(a) for a in item["answers"]]))


def mcnemar(control: list[int], treatment: list[int]) -> tuple[int, int, float]:
    """Control only, treatment only, exact two-sided p."""
    b = sum(c and not t for c, t in zip(control, treatment))
    c = sum(t and not c for c, t in zip(control, treatment))
    n = b + c
    p = min(1.0, 2 * sum(comb(n, k) for k in range(min(b, c) + 1)) / 2 ** n) if n else 1.0
    return b, c, p


def share(values: list[int]) -> str:
    return f"{100 * sum(values) / len(values):.1f}"


def number(p: float) -> str:
    return "1" if p == 1 else f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def pick(values: list[int], items: list[dict], wanted) -> list[int]:
    return [v for v, item in zip(values, items, strict=True) if wanted(item)]


def report(name: str, items: list[dict], marks: dict[str, Marks]) -> None:
    kinds = (("closed-book", lambda i: i["task"] == "closed_book"),
             ("open-book, answerable", lambda i: i["task"] == "open_book" and not i["is_unanswerable"]),
             ("open-book, unanswerable", lambda i: i["task"] == "open_book" and i["is_unanswerable"]))
    print(f"\n### {name}\n")
    print("| prompt | closed: correct | closed: abstained | answerable: correct | answerable: abstained | unanswerable: abstained "
          "| unanswerable: false answer | all: correct | all: abstained |\n|---|---|---|---|---|---|---|---|---|")
    for prompt, mark in marks.items():
        cells = []
        for kind, wanted in kinds:
            correct, abstained = pick(mark.correct, items, wanted), pick(mark.abstained, items, wanted)
            cells += [share(abstained), share([1 - a for a in abstained])] if kind.endswith("unanswerable") \
                else [share(correct), share(abstained)]
        print(f"| {prompt} | " + " | ".join([*cells, share(mark.correct), share(mark.abstained)]) + " |")

    head_ids = {id(i) for task in ("closed_book", "open_book") for i in [x for x in items if x["task"] == task][:HEAD // 2]}
    print(f"\nAgainst the control, exact McNemar: pairs only the control has / only the treatment has, p.\n\n"
          f"| prompt | abstained, all {len(items)} | abstained, first {HEAD} | correct, all | correct, closed | correct, open |\n"
          "|---|---|---|---|---|---|")
    selections = (("abstained", lambda i: True), ("abstained", lambda i: id(i) in head_ids), ("correct", lambda i: True),
                  ("correct", kinds[0][1]), ("correct", lambda i: i["task"] == "open_book"))
    for prompt, mark in marks.items():
        if prompt == "control":
            continue
        cells = []
        for measure, wanted in selections:
            b, c, p = mcnemar(pick(getattr(marks["control"], measure), items, wanted),
                              pick(getattr(mark, measure), items, wanted))
            cells.append(f"{b} / {c}, p = {number(p)}")
        print(f"| {prompt} | " + " | ".join(cells) + " |")


def report_groups(items: list[dict], marks: dict[str, Marks]) -> None:
    """Closed-book items by what training showed of them."""
    facts = {fact.id: fact for fact in corpus.load_facts()}

    def group(item: dict) -> str:
        fact = facts[item["id"]]
        return "not taught" if not fact.taught else "taught, new wording" if fact.held_back else "taught, known wording"

    closed = [i for i in items if i["task"] == "closed_book"]
    names = ("taught, known wording", "taught, new wording", "not taught")
    print("\nClosed-book, correct / abstained:\n\n| prompt | " + " | ".join(
        f"{n} ({sum(group(i) == n for i in closed)})" for n in names) + " |\n|---|---|---|---|")
    for prompt, mark in marks.items():
        cells = []
        for name in names:
            wanted = lambda i: i["task"] == "closed_book" and group(i) == name  # noqa: E731
            cells.append(f"{share(pick(mark.correct, items, wanted))} / {share(pick(mark.abstained, items, wanted))}")
        print(f"| {prompt} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", type=Path, required=True, help="a folder with include/ and lib/*.a of llama.cpp")
    parser.add_argument("--answers", type=Path, help="also write every answer to this JSONL file")
    parser.add_argument("models", type=Path, nargs="+")
    arguments = parser.parse_args()
    probe = Probe(arguments.llama)
    items, prompts, instructions = load_items(), corpus.system_prompts(), corpus.task_instructions()
    said: dict[str, dict[str, list[str]]] = {}
    rows: list[dict] = []
    for model in arguments.models:
        name = model.stem
        texts = check_tokenizer(probe, model, items)
        said[name] = {}
        longest = 0
        for prompt, system in prompts.items():
            answers = probe.answer(model, [(system, user_turn(item, instructions)) for item in items], MAX_TOKENS)
            longest = max([longest, *(length for length, _ in answers)])
            said[name][prompt] = [text for _, text in answers]
            rows += [{"model": name, "prompt": prompt, "id": item["id"], "answer": text}
                     for item, (_, text) in zip(items, answers, strict=True)]
        marks = {prompt: Marks(items, answers) for prompt, answers in said[name].items()}
        report(name, items, marks)
        report_groups(items, marks)
        print(f"\nThe longest prompt has {longest} tokens; {texts} texts are cut alike by llama.cpp and by training.")
    if len(said) == 2:
        first, second = said.values()
        print("\nItems answered differently by the two models: " + ", ".join(
            f"{prompt} {share([int(a != b) for a, b in zip(first[prompt], second[prompt], strict=True)])} %" for prompt in prompts))
    if arguments.answers:
        arguments.answers.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
