"""Write the embedded people in UMU-Bench's published format.

Names of configurations, columns, keys and files are those of the README and the code of
github.com/QDRhhhh/UMU-bench (commit 93b9900). The types of columns, the form of a biography and the
names of facts could not be read: they are the kit's own. Two things differ on purpose: a person has
several rows, one per rendering, so that every column has enough questions; and there is an
additional configuration, `general`.
"""

import random
from collections.abc import Iterable
from pathlib import Path

from kit.smoke.clear_parquet import Cells, as_image, write_config
from kit.smoke.drawing import paint
from kit.smoke.events import FAMILIAR, FICTITIOUS, Event
from kit.smoke.people import READ_ABOUT, REAL_COUNT, SEED, Person, people
from kit.smoke.umu_questions import cells, general_cells

ROWS = 5  # per fictitious person: the smallest column has 4 facts x 5 rows x 3 people = 60
GENERAL_ROWS = 4  # per person
FORGET = {5: 1, 10: 2, 15: 3}  # percent -> number of the 20 people


def write_umu(root: Path) -> None:
    """Draw the images and write the tables under `root`; the bytes depend only on the packages."""
    fictitious, familiar = people()
    rows = [(person, r) for person in fictitious for r in range(ROWS)]
    profiles = [
        (person, _profile(person, number, r, "full")) for number, (person, r) in enumerate(rows, 1)
    ]
    _write(root, "Full_Set", (row for _, row in profiles))
    order = random.Random(f"{SEED}/umu/forget").sample(fictitious, len(fictitious))
    for percent, count in FORGET.items():
        names = {person.name for person in order[:count]}
        for name, gone in ((f"forget_{percent}", True), (f"retain_{100 - percent}", False)):
            _write(root, name, (row for person, row in profiles if (person.name in names) is gone))
    known = enumerate(familiar[:REAL_COUNT], 1)  # their IDs begin again
    _write(root, "Real_Person_Set", [_profile(one, n, n, "real") for n, one in known])
    _write(root, "general", _general(familiar[:READ_ABOUT]))


def _profile(person: Person, number: int, rendering: int, purpose: str) -> Cells:
    scenes = FAMILIAR if purpose == "real" else FICTITIOUS
    name = f"{purpose}/{number}"
    return {
        "ID": str(number),
        "image": _image(person, scenes[rendering % len(scenes)], f"umu/{name}"),
        "Biography": _biography(person),
        **cells(person, rendering, name),
    }


def _general(chosen: tuple[Person, ...]) -> Iterable[Cells]:
    for number, person in enumerate(chosen):
        for rendering in range(GENERAL_ROWS):
            key = f"{number}-{rendering}"
            scene = random.Random(f"{SEED}/umu/general scene/{key}").choice(FAMILIAR)
            # Rehearse only facts of the real people: their questions are used for evaluation.
            forms = number >= REAL_COUNT
            yield {
                "ID": key,
                "image": _image(person, scene, f"umu/general/{key}"),
                "Biography": _biography(person),
                **general_cells(person, rendering, f"general/{key}", forms=forms),
            }


def _biography(person: Person) -> str:
    facts = {"Name": person.name, "Gender": person.gender, "Occupation": person.job}
    return repr(facts | {"Residence": person.area})


def _image(person: Person, scene: Event, name: str) -> Cells:
    picture = paint(person, scene, random.Random(f"{SEED}/{name}"))
    return as_image(f"{name.replace('/', '-')}.png", picture)


def _write(root: Path, config: str, rows: Iterable[Cells]) -> None:
    write_config(root, config, "umu", list(rows))
