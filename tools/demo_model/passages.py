# SPDX-License-Identifier: Apache-2.0
"""Invented open-book passages: families of subjects with attributes.

A passage states two or three attributes of one subject in one or two
sentences.  A question about an attribute the passage leaves out, or about a
different subject, cannot be answered from it.
"""
from __future__ import annotations

import random
from dataclasses import dataclass

import names


@dataclass(frozen=True)
class Attribute:
    kind: str                      # which values fit: person, town, year, number, or a word list
    says: tuple[str, ...]          # verb phrases of the passage; the last one is held back
    asks: tuple[str, ...]          # question wordings; the last one is held back


@dataclass(frozen=True)
class Family:
    pronoun: str
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Question:
    attribute: str
    text: str
    answer: str | None             # None: the passage does not say
    guess: str                     # what a careless reader would answer
    kind: str


@dataclass(frozen=True)
class Passage:
    family: str
    subject: str
    text: str
    stated: dict[str, str]


WORD_KINDS: dict[str, list[str]] = {
    "animal": names.ANIMALS,
    "colour": "red blue green yellow white black brown purple orange silver".split(),
    "material": "brick granite oak marble steel copper slate glass timber sandstone".split(),
    "cargo": "wool salt timber coal tea sugar grain copper silk rice".split(),
    "food": "soup bread apples cheese plums pancakes honey fish nuts onions".split(),
    "month": "January February March April May June July August September October November December".split(),
    "job": "potter baker weaver tailor printer doctor painter sailor teacher gardener".split(),
}
HALF_DOSE_KINDS = frozenset({"year", "number", "town"})

FAMILIES: dict[str, Family] = {
    "maker": Family("This person", {
        "born": Attribute("town", ("was born in {v}", "came into the world in {v}", "is a native of {v}"),
                          ("Where was {s} born?", "In which town was {s} born?", "What is the birthplace of {s}?")),
        "job": Attribute("job", ("worked as a {v}", "was a {v}", "earned a living as a {v}"),
                         ("What was the job of {s}?", "What work did {s} do?", "How did {s} earn a living?")),
        "pupils": Attribute("number", ("taught {v} pupils", "trained {v} pupils", "passed the craft on to {v} pupils"),
                            ("How many pupils did {s} teach?", "How many pupils had {s}?", "What number of pupils learned from {s}?")),
        "pet": Attribute("animal", ("kept a {v}", "owned a {v}", "shared the house with a {v}"),
                         ("Which animal did {s} keep?", "What animal did {s} own?", "What pet lived with {s}?")),
        "died": Attribute("year", ("died in {v}", "passed away in {v}", "was buried in {v}"),
                          ("When did {s} die?", "In which year did {s} die?", "What was the last year of {s}?")),
        "teacher": Attribute("person", ("learned from {v}", "was taught by {v}", "was a pupil of {v}"),
                             ("Who taught {s}?", "From whom did {s} learn?", "Who was the teacher of {s}?")),
    }),
    "building": Family("It", {
        "architect": Attribute("person", ("was designed by {v}", "was planned by {v}", "follows the drawings of {v}"),
                               ("Who designed {s}?", "Who planned {s}?", "Which architect stands behind {s}?")),
        "opened": Attribute("year", ("opened in {v}", "was opened in {v}", "received its first guests in {v}"),
                            ("When did {s} open?", "In which year was {s} opened?", "What is the opening year of {s}?")),
        "material": Attribute("material", ("is built of {v}", "was made of {v}", "has walls of {v}"),
                              ("What is {s} built of?", "Which material was used for {s}?", "What are the walls of {s} made of?")),
        "rooms": Attribute("number", ("has {v} rooms", "holds {v} rooms", "counts {v} rooms"),
                           ("How many rooms has {s}?", "How many rooms are in {s}?", "What number of rooms does {s} hold?")),
        "town": Attribute("town", ("stands in {v}", "is in {v}", "can be visited in {v}"),
                          ("Where is {s}?", "In which town does {s} stand?", "Which town must you visit to see {s}?")),
        "roof": Attribute("colour", ("has a {v} roof", "carries a {v} roof", "is known for a {v} roof"),
                          ("What colour is the roof of {s}?", "Which colour has the roof of {s}?", "How is the roof of {s} painted?")),
    }),
    "ship": Family("It", {
        "captain": Attribute("person", ("was led by {v}", "sailed under {v}", "obeyed the orders of {v}"),
                             ("Who was the captain of {s}?", "Who led {s}?", "Who gave the orders on {s}?")),
        "cargo": Attribute("cargo", ("carried {v}", "was loaded with {v}", "was full of {v}"),
                           ("What did {s} carry?", "What was the cargo of {s}?", "Which goods were aboard {s}?")),
        "launched": Attribute("year", ("was launched in {v}", "was built in {v}", "first met the sea in {v}"),
                              ("When was {s} launched?", "In which year was {s} built?", "What was the first year at sea of {s}?")),
        "port": Attribute("town", ("left from {v}", "sailed from {v}", "had its home in {v}"),
                          ("From where did {s} sail?", "Which port did {s} leave from?", "What was the home of {s}?")),
        "crew": Attribute("number", ("had a crew of {v}", "carried {v} sailors", "needed {v} sailors"),
                          ("How many sailors were on {s}?", "How large was the crew of {s}?", "What number of people worked {s}?")),
        "sail": Attribute("colour", ("had {v} sails", "flew {v} sails", "was seen by its {v} sails"),
                          ("What colour were the sails of {s}?", "Which colour had the sails of {s}?", "How did the sails of {s} look?")),
    }),
    "festival": Family("It", {
        "month": Attribute("month", ("is held in {v}", "takes place in {v}", "comes every {v}"),
                           ("When is {s} held?", "In which month is {s}?", "What month brings {s}?")),
        "town": Attribute("town", ("belongs to {v}", "is a feast of {v}", "fills the streets of {v}"),
                          ("Which town holds {s}?", "Where is {s} held?", "Whose streets does {s} fill?")),
        "food": Attribute("food", ("is famous for {v}", "offers {v}", "fills every plate with {v}"),
                          ("Which food is {s} famous for?", "What food does {s} offer?", "What do people eat at {s}?")),
        "since": Attribute("year", ("began in {v}", "was started in {v}", "goes back to {v}"),
                           ("When did {s} begin?", "In which year was {s} started?", "What was the first year of {s}?")),
        "guests": Attribute("number", ("draws {v} guests", "welcomes {v} guests", "is seen by {v} guests"),
                            ("How many guests come to {s}?", "How many guests does {s} draw?", "What number of people see {s}?")),
        "founder": Attribute("person", ("was founded by {v}", "was the idea of {v}", "owes its life to {v}"),
                             ("Who founded {s}?", "Whose idea was {s}?", "Who is behind {s}?")),
    }),
    "farm": Family("It", {
        "owner": Attribute("person", ("is owned by {v}", "belongs to {v}", "is in the hands of {v}"),
                           ("Who owns {s}?", "To whom does {s} belong?", "Who is the owner of {s}?")),
        "crop": Attribute("food", ("sells {v}", "is known for {v}", "makes its money with {v}"),
                          ("What does {s} sell?", "What is {s} known for?", "Which goods bring money to {s}?")),
        "animals": Attribute("number", ("keeps {v} cows", "has {v} cows", "milks {v} cows"),
                             ("How many cows has {s}?", "How many cows does {s} keep?", "What number of cows live at {s}?")),
        "near": Attribute("town", ("lies near {v}", "is close to {v}", "borders on {v}"),
                          ("Where is {s}?", "Which town is close to {s}?", "What town lies next to {s}?")),
        "founded": Attribute("year", ("dates from {v}", "was founded in {v}", "saw its first harvest in {v}"),
                             ("When was {s} founded?", "From which year does {s} date?", "In which year was the first harvest of {s}?")),
        "gate": Attribute("colour", ("has a {v} gate", "hides behind a {v} gate", "greets people with a {v} gate"),
                          ("What colour is the gate of {s}?", "Which colour has the gate of {s}?", "How is the gate of {s} painted?")),
    }),
}


def value(kind: str, r: random.Random) -> str:
    if kind == "person":
        return names.person(r)
    if kind == "town":
        return names.town(r)
    if kind == "year":
        return str(r.randrange(1700, 1990))
    if kind == "number":
        return str(r.randrange(3, 100))
    return r.choice(WORD_KINDS[kind])


def subject(family: str, r: random.Random) -> str:
    if family == "maker":
        return names.person(r)
    if family == "building":
        return f"the {names.town(r)} {r.choice(['Museum', 'Hall', 'Library', 'Castle', 'Inn'])}"
    if family == "ship":
        return f"the {r.choice(names.ADJECTIVES).title()} {r.choice(names.THINGS).title()}"
    if family == "festival":
        return f"the {names.town(r)} {r.choice(['Fair', 'Feast', 'Parade', 'Market'])}"
    return f"{names.surname(r)} Farm"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def compose(family: str, r: random.Random, held_back: bool = False) -> Passage:
    """One passage; `held_back` chooses verb phrases that training never shows."""
    kin = FAMILIES[family]
    who = subject(family, r)
    keys = r.sample(list(kin.attributes), r.choice([2, 3, 3]))
    stated: dict[str, str] = {}
    phrases: list[str] = []
    for key in keys:
        attribute = kin.attributes[key]
        stated[key] = value(attribute.kind, r)
        says = attribute.says[-1] if held_back else r.choice(attribute.says[:-1])
        phrases.append(says.format(v=stated[key]))
    if len(phrases) == 2:
        text = f"{who} {phrases[0]} and {phrases[1]}."
    elif r.random() < 0.5:
        text = f"{who} {phrases[0]} and {phrases[1]}. {kin.pronoun} {phrases[2]}."
    else:
        text = f"{who} {phrases[0]}. {kin.pronoun} {phrases[1]} and {phrases[2]}."
    return Passage(family, who, _capital(text), stated)


def ask(passage: Passage, key: str, r: random.Random, held_back: bool = False, stranger: bool = False) -> Question:
    """A question on attribute `key`; `stranger` asks about someone the passage does not name."""
    attribute = FAMILIES[passage.family].attributes[key]
    who = subject(passage.family, r) if stranger else passage.subject
    wording = attribute.asks[-1] if held_back else r.choice(attribute.asks[:-1])
    answer = None if stranger else passage.stated.get(key)
    # A careless reader takes a value of the right kind, else the first value at hand.
    of_kind = [v for k, v in passage.stated.items() if FAMILIES[passage.family].attributes[k].kind == attribute.kind]
    guess = passage.stated.get(key) or (of_kind or list(passage.stated.values()))[0]
    return Question(key, wording.format(s=who), answer, guess, attribute.kind)
