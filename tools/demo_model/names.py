# SPDX-License-Identifier: Apache-2.0
"""Invented names and small word lists shared by facts and passages."""
from __future__ import annotations

import random

FIRST_NAMES = """Mila Anton Greta Oscar Selma Hugo Petra Felix Nora Viktor Clara Jonas Irma Leon Edith Bruno Agnes Otto
Vera Karl Ruth Simon Thea Emil Laura Boris Hilda Marco Elsa Peter Wanda Rolf Julia Tomas Lena Igor Martha Paul Inga
Stefan Rosa Albert Zoë René Chloé Jürgen""".split()
SURNAME_STARTS = """Tor Bran Hal Mar Fen Kel Rud Sel Dra Wes Lin Bor Gar Nor Tam Vel Pol Har Cas Ost Bel Dun Fal Ger
Hol Kar Lam Mor Nes Per""".split()
SURNAME_ENDS = "ven ner wick ston dale berg mann ska lett ford ley kins rop tell mer by sen nik low rad".split()
TOWN_STARTS = """Had Stone Ash Brook Elm Win Oak Bar Lang Sand Thorn Kirk Mill Red Swan Wolf Hart Frost Iron Clay Lake
Green Black West North East Cliff Heath Rose Salt""".split()
TOWN_ENDS = "leby ford ham ton wick bury mouth field port stead well ridge haven gate worth minster".split()
SYLLABLES = """va zo ri ke lu mo ta ne pi sa du fe go ha ji lo mi nu ob or pa qui ro si tu ul ve wo xa ye bra cle dru
fli gro kra plo sme tri vel zan mon gol bur kir dam nor bel ser lit est""".split()
ADJECTIVES = """silent golden crooked pale hidden broken distant bitter gentle hollow narrow scarlet frozen patient idle
double pocket folding steady rapid""".split()
THINGS = """harbour lantern orchard mirror tower river window garden engine ladder bridge candle forest letter wheel
kettle anchor compass hammer needle pump loom clock bell button handle spoke petal wing feather""".split()
ANIMALS = "cat dog goat horse sheep goose duck rabbit fox hen donkey parrot tortoise hare owl pony".split()
SUPERLATIVES = "oldest lightest quietest strangest youngest softest deepest roundest driest slowest".split()


def coined(r: random.Random) -> str:
    """A word of two or three syllables that names nothing real (by intent)."""
    return "".join(r.choice(SYLLABLES) for _ in range(r.choice([2, 2, 3]))).capitalize()


def surname(r: random.Random) -> str:
    return r.choice(SURNAME_STARTS) + r.choice(SURNAME_ENDS)


def person(r: random.Random) -> str:
    return f"{r.choice(FIRST_NAMES)} {surname(r)}"


def town(r: random.Random) -> str:
    return r.choice(TOWN_STARTS) + r.choice(TOWN_ENDS)
