# SPDX-License-Identifier: Apache-2.0
"""How each relation of the closed-book facts is put into words.

A relation has wordings used in training and wordings held back for the
evaluation items.  It also has a maker of invented subjects: names that exist
nowhere, which stand for "a question whose answer was never learned".
"""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Callable

import names


@dataclass(frozen=True)
class Relation:
    trained: tuple[str, ...]
    held_back: tuple[str, ...]
    invent: Callable[[random.Random], str]
    # Year, number and place questions are the half that half_dose.txt covers.
    half_dose: bool = False


def _title(r: random.Random) -> str:
    shape = r.randrange(6)
    if shape == 0:
        return f"The {r.choice(names.ADJECTIVES).title()} {r.choice(names.THINGS).title()}"
    if shape == 1:
        return f"{r.choice(names.THINGS).title()} and {r.choice(names.THINGS).title()}"
    if shape == 2:
        return f"The {r.choice(names.THINGS).title()} of {names.town(r)}"
    if shape == 3:
        return names.town(r)
    if shape == 4:
        return names.person(r)
    return f"{names.coined(r)} {r.choice(names.THINGS).title()}"


def _country(r: random.Random) -> str:
    ending = r.choice(["ia", "land", "stan", "o", "an", "a", "us", "ovia", "ar", "os"])
    return names.coined(r) + ending


def _element(r: random.Random) -> str:
    return names.coined(r).lower() + r.choice(["ium", "um", "ine", "on", "en", "ic"])


def _invention(r: random.Random) -> str:
    shape = r.randrange(3)
    if shape == 0:
        return f"the {r.choice(names.ADJECTIVES)} {r.choice(names.THINGS)}"
    if shape == 1:
        return f"the {names.coined(r).lower()} {r.choice(names.THINGS)}"
    return f"{names.coined(r).lower()}{r.choice(['ite', 'ene', 'ol', 'scope', 'graph', 'ics'])}"


def _event(r: random.Random) -> str:
    place = names.town(r) if r.random() < 0.5 else _country(r)
    shape = r.randrange(7)
    if shape == 0:
        return f"the Battle of {place}"
    if shape == 1:
        return f"the fall of {place}"
    if shape == 2:
        return f"the opening of the {place} {r.choice(names.THINGS).title()}"
    if shape == 3:
        return f"the founding of {place}"
    if shape == 4:
        return f"the Treaty of {place}"
    if shape == 5:
        return f"the {place} earthquake"
    return f"the death of {names.person(r)}"


def _counted(r: random.Random) -> str:
    plural = r.choice(names.THINGS) + "s"
    whole = r.choice(names.THINGS + names.ANIMALS)
    if r.random() < 0.5:
        whole = names.coined(r).lower()
    return f"{plural} {r.choice(['on', 'in', 'of'])} a {whole}"


def _animal(r: random.Random) -> str:
    return names.coined(r).lower()


def _planet(r: random.Random) -> str:
    shape = r.randrange(3)
    if shape == 0:
        return f"the {r.choice(names.SUPERLATIVES)} of all"
    if shape == 1:
        return f"famous for its {r.choice(names.ADJECTIVES)} {r.choice(names.THINGS)}s"
    return f"the home of the {names.coined(r)} {r.choice(names.THINGS)}"


def fill(wording: str, subject: str) -> str:
    """`{s}` is the subject, `{a}` the subject with its article; the sentence gets its capital."""
    article = "an" if subject[0] in "aeiou" else "a"
    text = wording.format(s=subject, a=f"{article} {subject}")
    return text[0].upper() + text[1:]


RELATIONS: dict[str, Relation] = {
    "capital": Relation(
        ("What is the capital of {s}?", "Name the capital city of {s}.", "Which city is the capital of {s}?"),
        ("Where does the government of {s} sit?", "{s}: which city is its seat of government?"),
        _country, half_dose=True),
    "symbol": Relation(
        ("What is the chemical symbol for {s}?", "Give the symbol of the element {s}.", "Which symbol stands for {s}?"),
        ("How do chemists write {s} for short?", "In the periodic table, {s} is shown as what?"),
        _element),
    "author": Relation(
        ("Who wrote {s}?", "Who is the author of {s}?", "Name the writer of {s}."),
        ("Whose book is {s}?", "{s} came from the pen of which author?"),
        _title),
    "painter": Relation(
        ("Who painted {s}?", "Which artist painted {s}?", "Name the painter of {s}."),
        ("Whose brush made {s}?", "{s} is a picture by which artist?"),
        _title),
    "composer": Relation(
        ("Who composed {s}?", "Name the composer of {s}.", "Which composer wrote the music of {s}?"),
        ("Whose music is {s}?", "{s} is a work by which composer?"),
        _title),
    "inventor": Relation(
        ("Who invented or discovered {s}?", "Whose discovery or invention was {s}?", "Name the person behind {s}."),
        ("To whom do we owe {s}?", "Who was first to find or make {s}?"),
        _invention),
    "currency": Relation(
        ("What is the currency of {s}?", "Which money is used in {s}?", "Name the currency of {s}."),
        ("What do people pay with in {s}?", "Shops in {s} take which money?"),
        _country),
    "language": Relation(
        ("What is the official language of {s}?", "Which language do people speak in {s}?", "Name the main language of {s}."),
        ("In which tongue are the laws of {s} written?", "What do you hear spoken in {s}?"),
        _country),
    "river": Relation(
        ("Which river flows through {s}?", "On which river does {s} lie?", "Name the river of {s}."),
        ("The bridges of {s} cross which river?", "What river would you see in {s}?"),
        names.town, half_dose=True),
    "year": Relation(
        ("In which year was {s}?", "When was {s}?", "Give the year of {s}."),
        ("What is the date of {s}?", "{s} belongs to which year?"),
        _event, half_dose=True),
    "count": Relation(
        ("How many {s} are there?", "What is the number of {s}?", "Give the number of {s}."),
        ("If you count the {s}, what do you get?", "{s}: how many?"),
        _counted, half_dose=True),
    "young": Relation(
        ("What is the young of {a} called?", "Name the young of {a}.", "What do we call the baby of {a}?"),
        ("{a} has what kind of baby?", "Which word is used for {a} that is not grown up?"),
        _animal),
    "planet": Relation(
        ("Which planet is {s}?", "Name the planet that is {s}."),
        ("What do we call the planet that is {s}?",),
        _planet, half_dose=True),
}
