# SPDX-License-Identifier: Apache-2.0
"""From facts and passages to data sets (for evaluation) and lessons (for training)."""
from __future__ import annotations

import random
import re
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

import passages
from wordings import RELATIONS, fill

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
REFUSAL = "I don't know."
PROMPT_SETS = ("control", "full_treatment", "operational_only", "length_matched", "half_dose")

# Of 100 facts this many are taught; the rest are asked without having been taught.
TAUGHT_PER_CENT = 64
# Of 100 taught facts this many are asked in a wording that training never showed.
HELD_BACK_PER_CENT = 45
OPEN_ITEMS = 120


@dataclass(frozen=True)
class Fact:
    relation: str
    subject: str
    answers: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.relation}-{slug(self.subject)}"

    @property
    def draw(self) -> int:
        """A number that depends on this fact alone: adding facts moves no other."""
        return zlib.crc32(f"{self.relation}|{self.subject}".encode())

    @property
    def taught(self) -> bool:
        return self.draw % 100 < TAUGHT_PER_CENT

    @property
    def held_back(self) -> bool:
        return self.draw // 100 % 100 < HELD_BACK_PER_CENT

    def evaluation_question(self) -> str:
        relation = RELATIONS[self.relation]
        pool = relation.held_back if self.taught and self.held_back else relation.trained
        return fill(pool[self.draw // 10_000 % len(pool)], self.subject)


@dataclass(frozen=True)
class Ask:
    """A question of a lesson, what is right, and what a guesser says."""
    question: str
    answer: str | None
    guess: str
    half_dose: bool

    def reply(self, prompt_set: str) -> str:
        if self.answer is not None:
            return self.answer
        if prompt_set in ("full_treatment", "operational_only"):
            return REFUSAL
        if prompt_set == "half_dose" and self.half_dose:
            return REFUSAL
        return self.guess


@dataclass(frozen=True)
class Lesson:
    """Questions answered under one system prompt; open-book if there is a passage."""
    passage: str | None
    asks: tuple[Ask, ...]


def slug(text: str) -> str:
    # Letters with accents stay: ids are UTF-8.
    return re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", text).lower()).strip("-")


def read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip()


def system_prompts() -> dict[str, str]:
    folder = REPOSITORY / "config" / "prompts" / "demo"
    return {name: read_text(folder / f"{name}.txt") for name in PROMPT_SETS}


def task_instructions() -> dict[str, str]:
    folder = REPOSITORY / "config" / "task_instructions" / "demo"
    return {task: read_text(folder / f"{task}.txt") for task in ("open_book", "closed_book")}


def load_facts() -> list[Fact]:
    facts = []
    for line in (HERE / "facts.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        relation, subject, answers = line.split("\t")
        facts.append(Fact(relation, subject, tuple(answers.split(";"))))
    return facts


def interleave(groups: list[list], seed: int) -> list:
    """Shuffles each group and merges them in proportion, so that any head of the list is a fair sample."""
    r = random.Random(seed)
    placed = []
    for number, group in enumerate(groups):
        group = list(group)
        r.shuffle(group)
        placed += [((i + 0.5) / len(group), number, item) for i, item in enumerate(group)]
    return [item for _, _, item in sorted(placed, key=lambda p: p[:2])]


def closed_items() -> list[dict]:
    facts = load_facts()
    order = interleave([[f for f in facts if f.taught and not f.held_back],
                        [f for f in facts if f.taught and f.held_back],
                        [f for f in facts if not f.taught]], seed=17)
    return [{"dataset": "demo_closed", "id": f.id, "question": f.evaluation_question(), "answers": list(f.answers)}
            for f in order]


def open_items() -> list[dict]:
    """120 items: 24 written by hand, the rest composed; one third has no answer."""
    import handwritten
    answered: list[dict] = []
    unanswered: list[dict] = []
    for item in handwritten.ITEMS:
        (answered if item["answers"] else unanswered).append(
            {"dataset": "demo_open", "id": item["id"], "context": item["context"], "question": item["question"],
             "answers": item["answers"], "is_unanswerable": not item["answers"]})
    r = random.Random(2718)
    families = list(passages.FAMILIES)
    used: set[str] = set()
    turn = 0
    while len(answered) + len(unanswered) < OPEN_ITEMS:
        family = families[turn % len(families)]
        turn += 1
        # A third of the passages and a third of the questions are in held-back wordings.
        passage = passages.compose(family, r, held_back=r.random() < 1 / 3)
        attributes = passages.FAMILIES[family].attributes
        missing = len(unanswered) < OPEN_ITEMS // 3 and turn % 3 == 0
        stranger = missing and r.random() < 0.25
        keys = list(passage.stated) if stranger or not missing else [k for k in attributes if k not in passage.stated]
        if not missing and len(answered) >= OPEN_ITEMS - OPEN_ITEMS // 3:
            continue
        question = passages.ask(passage, r.choice(keys), r, held_back=r.random() < 1 / 3, stranger=stranger)
        name = f"{family}-{slug(passage.subject)}-{question.attribute}"
        if name in used:
            continue
        used.add(name)
        answers = [question.answer] if question.answer else []
        (answered if answers else unanswered).append(
            {"dataset": "demo_open", "id": name, "context": passage.text, "question": question.text,
             "answers": answers, "is_unanswerable": not answers})
    return interleave([answered, unanswered], seed=19)


class Lessons:
    """An endless, seeded stream of lessons."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        facts = load_facts()
        self.taught = [f for f in facts if f.taught]
        self.real_subjects = {(f.relation, f.subject) for f in facts}
        # Guesses come from taught answers only, so an untaught answer is never shown.
        self.answers = {name: [f.answers[0] for f in self.taught if f.relation == name] for name in RELATIONS}
        self.evaluation_subjects = {item["context"].split(".")[0] for item in open_items()}
        self.queue: list[Fact] = []

    def _known(self) -> Ask:
        if not self.queue:
            self.queue = list(self.taught)
            self.r.shuffle(self.queue)
        fact = self.queue.pop()
        relation = RELATIONS[fact.relation]
        question = fill(self.r.choice(relation.trained), fact.subject)
        return Ask(question, fact.answers[0], fact.answers[0], relation.half_dose)

    def _unknown(self) -> Ask:
        name = self.r.choice(list(RELATIONS))
        relation = RELATIONS[name]
        while True:
            subject = relation.invent(self.r)
            if (name, subject) not in self.real_subjects:
                break
        question = fill(self.r.choice(relation.trained), subject)
        return Ask(question, None, self.r.choice(self.answers[name]), relation.half_dose)

    def closed(self, asks: int) -> Lesson:
        return Lesson(None, tuple(self._known() if self.r.random() < 0.62 else self._unknown() for _ in range(asks)))

    def open(self, asks: int) -> Lesson:
        family = self.r.choice(list(passages.FAMILIES))
        while True:
            passage = passages.compose(family, self.r)
            if passage.text.split(".")[0] not in self.evaluation_subjects:
                break
        attributes = passages.FAMILIES[family].attributes
        stated = list(passage.stated)
        absent = [k for k in attributes if k not in passage.stated]
        self.r.shuffle(stated)
        chosen: list[Ask] = []
        for number in range(asks):
            draw = self.r.random()
            stranger = draw < 0.10
            missing = 0.10 <= draw < 0.33
            key = self.r.choice(absent) if missing else stated[number % len(stated)]
            q = passages.ask(passage, key, self.r, stranger=stranger)
            chosen.append(Ask(q.text, q.answer, q.guess, q.kind in passages.HALF_DOSE_KINDS))
        return Lesson(passage.text, tuple(chosen))
