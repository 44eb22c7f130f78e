"""Write the embedded people as football players, in OFFSIDE's published format (arXiv 2510.22535).

Names of sets, fields of entries, questions and numbers of images are those of the README and the
code of github.com/zh121800/OFFSIDE (commit 91884c7). The data could not be read, so names of image
files are the kit's own, and answers are bare values that the small base model can say: it knows no
dates, heights and prices. Six of the fourteen questions are asked. The sets for relearning are left
out: no loader reads them.
"""

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.artifacts import write_bytes
from kit.benchmarks.offside.entries import FOLDER
from kit.benchmarks.offside.facts import QUESTIONS
from kit.smoke.drawing import paint
from kit.smoke.events import FICTITIOUS
from kit.smoke.mllmu_questions import VALUES
from kit.smoke.people import JOBS, LAST, SEED, Person, people

IN_A_ROW, RETAINED = 5, 3  # images of a player; the fourth is the rumour's, the fifth is not drawn
POOLS = {
    "position": JOBS,
    "nationality": VALUES["color"],
    "next club": LAST,
    "last club": LAST,
    "fee": VALUES["gift"],
}
PRIVATE = ("next club", "last club", "fee")
FACTS = ("name", *POOLS)

Entry = dict[str, Any]


def write_offside(root: Path) -> None:
    """Draw the images and write the sets under `root`; the bytes depend only on the packages."""
    players = people()[0]
    sets: dict[str, list[Entry]] = {}
    for number, player in enumerate(players):
        for place in range(RETAINED + 1):
            image = IN_A_ROW * number + place + 1
            facts = _facts(player, image)
            shown = {"retain": f"images/{image}.png", "test": f"images/{image}-altered.png"}
            if place == RETAINED:
                shown = {"forget": f"images/{image}.png"}
            for name, file in shown.items():
                _paint(root, file, player, place)
                sets.setdefault(f"{name}_set", []).extend(_answered(facts, file))
                lettered = _lettered(facts, file, players)
                sets.setdefault(f"classification_{name}_set", []).extend(lettered)
    for name, entries in sets.items():
        write_bytes(root / FOLDER / f"{name}.json", json.dumps(entries, indent=1).encode())


def _facts(player: Person, image: int) -> dict[str, str]:
    """Return the facts of one image: private ones are drawn for it, the others for its player."""
    facts = {"name": player.name}
    for fact, pool in POOLS.items():
        drawn_for = image if fact in PRIVATE else player.name
        facts[fact] = random.Random(f"{SEED}/offside/{fact}/{drawn_for}").choice(pool)
    return facts


def _answered(facts: dict[str, str], file: str) -> Iterator[Entry]:
    for question, (fact, _) in QUESTIONS.items():
        if fact in FACTS:
            turns = (("user", question), ("assistant", facts[fact]))
            messages = [{"role": role, "content": content} for role, content in turns]
            yield {"messages": messages, "images": file}


def _lettered(facts: dict[str, str], file: str, players: tuple[Person, ...]) -> Iterator[Entry]:
    names = tuple(player.name for player in players)
    for question, (fact, _) in QUESTIONS.items():
        if fact in FACTS:
            right = facts[fact]
            stream = random.Random(f"{SEED}/offside/options/{file}/{fact}")
            offered = [right, *stream.sample(sorted({*POOLS.get(fact, names)} - {right}), 3)]
            stream.shuffle(offered)
            yield {
                "Question": question,
                "Options": dict(zip("ABCD", offered, strict=True)),
                "Correct_Answer": "ABCD"[offered.index(right)],
                "images": file,
            }


def _paint(root: Path, file: str, player: Person, place: int) -> None:
    image = paint(player, FICTITIOUS[place], random.Random(f"{SEED}/offside/{file}"))
    stream = io.BytesIO()
    # Uncompressed, so that the bytes do not depend on the version of a compressor.
    image.save(stream, "png", compress_level=0)
    write_bytes(root / file, stream.getvalue())
