"""The kit beside six baselines in the manner of published code, in one run.

    ./run.sh bench peers [NAME ...] [--repeats N] [--output FOLDER] [--scale tiny]

NAME is generate, metrics, references, tower or logits; all by default. The ways of a comparison
take turns. Every baseline has to find what the kit finds, or the run ends with an error: a
comparison of two different things would be void.

Prints a table in Markdown, and writes it with `peers.json` and `peers.svg` into FOLDER. Everything
is measured on the CPU. Seconds are processor time, so a busy machine disturbs them little.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch

from kit.artifacts import results_root
from kit.errors import KitError
from kit.plan.rates import device_name
from kit.report.pages import svg_file
from tests.bench.against.generate import SMOKE
from tests.bench.against.text import figure, how, table
from tests.bench.against.turns import REPEATS, Row

COMPARISONS = ("generate", "metrics", "references", "tower", "logits")
CLOCK = "processor time"


def main() -> int:
    """Print and write the table; 1 where a wanted ratio is missed, 12 without trained adapters."""
    parser = argparse.ArgumentParser(prog="./run.sh bench peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument(
        "--repeats", type=int, choices=range(2, 100), default=REPEATS, metavar="N",
        help=f"at least 2; default: {REPEATS}",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, help="default: bench-peers among the results")
    parser.add_argument(
        "--manifest", type=Path, default=SMOKE, metavar="FILE",
        help="whose trained adapters `generate` asks; default: the small experiment",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=("full", "tiny"), default="full",
        help="tiny tries the code in a minute, without trained adapters; its ratios mean nothing",
    )  # fmt: skip
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in COMPARISONS]:
        parser.error(f"no comparison '{unknown[0]}'; expected {', '.join(COMPARISONS)}")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rows: list[Row] = []
    for name in asked.names or COMPARISONS:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        measure = import_module(f"tests.bench.against.{name}").measure
        given = {"manifest": asked.manifest} if name == "generate" else {}
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows += measure(Path(folder), asked.repeats, asked.scale, **given)
            except KitError as error:
                print(f"error: {error}", file=sys.stderr)
                return error.exit_code
    if asked.scale == "tiny":
        print("Tiny models: the code works, and the ratios mean nothing.")
        rows = [replace(row, wanted=None) for row in rows]
    write(rows, asked.output or results_root() / "bench-peers")
    return int(not all(row.reached for row in rows))


def write(rows: list[Row], folder: Path) -> None:
    """Print the table and write it, with JSON and figure, into a folder."""
    text = "\n".join([f"On {device_name()}.", *how(rows, CLOCK), "", table(rows)])
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"device": device_name(), "clock": CLOCK, "load": os.getloadavg()[0],
             "rows": [row.facts() for row in rows]}  # fmt: skip
    (folder / "peers.md").write_text(text + "\n", encoding="utf-8")
    (folder / "peers.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / "peers.svg").write_text(svg_file(figure(rows)), encoding="utf-8")
    print(f"wrote {folder}/peers.md, peers.json and peers.svg")


if __name__ == "__main__":
    raise SystemExit(main())
