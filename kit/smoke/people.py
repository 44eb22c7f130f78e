"""The people of the embedded world: 20 fictitious ones, and the familiar ones of pretraining.

A face has eight attributes. Any two people differ in at least `MIN_DISTANCE` of them, so a picture
identifies its person. Everything is drawn from random streams named by strings: no global state.
"""

import random
from dataclasses import dataclass

SEED = "pebench-smoke/1"
MIN_DISTANCE = 4
FICTITIOUS_COUNT = 20
FAMILIAR_COUNT = 180
REAL_COUNT = 16
READ_ABOUT = 40  # of the familiar people, the Real set first: their facts are in pretraining

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "skin": ("pale", "tan", "brown", "dark", "olive"),
    "hair": ("black", "blond", "red", "white", "blue", "green"),
    "style": ("short", "long", "curly", "bald"),
    "hat": ("none", "cap", "beret", "top", "band"),
    "glasses": ("none", "round", "shades"),
    "clothes": ("red", "blue", "green", "yellow", "white", "black", "pink", "orange"),
    "pattern": ("plain", "stripes", "dots", "vest"),
    "beard": ("none", "full", "moustache"),
}

FIRST = tuple(
    "Ada Amir Anouk Bela Bruno Carla Chen Dalia Dario Edda Emil Farah Felix Gita Goran Hana Hugo "
    "Ines Ivan Jana Jonas Kaia Kofi Lena Luca Mara Milo Nadia Nico Olga Omar Petra Quinn Rosa "
    "Ruben Selma Stefan Tara Tomas Vera".split()
)
LAST = tuple(
    "Abara Almeida Bakker Berg Castel Cohen Dahl Duarte Eriks Falk Ferrer Garza Haddad Holm "
    "Ibarra Jansen Kaya Keller Lang Lindt Mansour Moreau Nagy Novak Okoro Orsini Pavic Prado Quist "
    "Ramos Rossi Sato Silva Tanaka Torres Ueda Varga Weber Yilmaz Zeman".split()
)
JOBS = ("Biologist", "Nurse", "Painter", "Teacher", "Pilot", "Architect", "Judge", "Miner")
AREAS = ("Toronto, Canada", "Lisbon, Portugal", "Nairobi, Kenya", "Osaka, Japan", "Lima, Peru")


@dataclass(frozen=True)
class Person:
    """A person; `face` maps each attribute to its value."""

    name: str
    age: int
    gender: str
    job: str
    area: str
    face: dict[str, str]

    @property
    def appearance(self) -> str:
        """The attributes in words, as in PEBench's seed table."""
        return ", ".join(f"{value} {name}" for name, value in self.face.items() if value != "none")


def people() -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    """Return (fictitious, familiar) people; the first `REAL_COUNT` familiar are the Real set."""
    rng = random.Random(f"{SEED}/people")
    faces: list[dict[str, str]] = []
    while len(faces) < FICTITIOUS_COUNT + FAMILIAR_COUNT:
        face = {name: rng.choice(values) for name, values in ATTRIBUTES.items()}
        # Two people must not differ only in hair that is not visible.
        if face["style"] == "bald":
            face["hair"] = "black"
        if all(sum(face[k] != other[k] for k in face) >= MIN_DISTANCE for other in faces):
            faces.append(face)
    names = [f"{first} {last}" for first in FIRST for last in LAST]
    rng.shuffle(names)
    made = []
    for face, name in zip(faces, _distinct_names(names, len(faces)), strict=True):
        gender = rng.choice(("Female", "Male"))
        age, job, area = rng.randint(18, 80), rng.choice(JOBS), rng.choice(AREAS)
        made.append(Person(name, age, gender, job, area, face))
    return tuple(made[:FICTITIOUS_COUNT]), tuple(made[FICTITIOUS_COUNT:])


def _distinct_names(names: list[str], count: int) -> list[str]:
    """Return `count` names; the fictitious people share no first or last name with each other."""
    firsts: set[str] = set()
    lasts: set[str] = set()
    chosen: list[str] = []
    for name in names:
        first, last = name.split()
        if len(chosen) < FICTITIOUS_COUNT and (first in firsts or last in lasts):
            continue
        firsts.add(first)
        lasts.add(last)
        chosen.append(name)
        if len(chosen) == count:
            return chosen
    raise ValueError(f"{len(names)} names are too few for {count} people")
