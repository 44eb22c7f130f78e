"""Results at the edges of what a page has to show: no method at all, fifty, and words too long."""

import json
from pathlib import Path

import pandas as pd

from kit.metrics.rows import read_inputs
from kit.report import write_report
from tests.toys.results import PROTOCOL, make_rows, toy_inputs, toy_run

EVIL = '<img src=x onerror="window.evil=1"><script>window.evil=1</script>\u202egnp.exe\x1b[2J'
LONG = "learning-rate-and-steps-of-the-third-sweep-" * 4
KINDS = ("npo", "ga", "po", "prompt_only")
VANILLA, RETAIN_ONLY = (
    {"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla", "seed": None},
    {"name": "retain_only-person", "target": "person", "method": "retain_only",
     "label": "Retain-only", "seed": None},
)  # fmt: skip


def write_odd_result(folder: Path, labels: list[str], *, answer: str = "") -> Path:
    """Write a result about people, with its report, and return the folder.

    Args:
        labels: of its methods; what they answer takes turns among those of the toy.
        answer: replaces every third answer.
    """
    inputs = toy_inputs()
    methods = [
        {"name": f"person-m{number}-s1", "target": "person", "method": KINDS[number % len(KINDS)],
         "label": label, "seed": 1}
        for number, label in enumerate(labels)
    ]  # fmt: skip
    systems = [VANILLA, RETAIN_ONLY, *methods]
    table = inputs["answers"]
    by_method = {name.split("-")[1]: name for name in table.system if name.startswith("person-")}
    by_method |= {"prompt_only": by_method["prompt"], "vanilla": "vanilla"}
    by_method["retain_only"] = "retain_only-person"
    parts = [
        table[table.system == by_method[str(system["method"])]].assign(system=system["name"])
        for system in systems
    ]
    answers = pd.concat(parts, ignore_index=True)
    if answer:
        answers.loc[::3, "text"] = answer
    (folder / "answers").mkdir(parents=True)
    frames = {
        "records": inputs["records"], "sets": inputs["sets"].query("target == 'person'"),
        "answers/answers": answers, "answers/likelihoods": inputs["likelihoods"],
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "run.json").write_text(json.dumps(toy_run(systems)), encoding="utf-8")
    rows = make_rows(**read_inputs(folder), protocol=PROTOCOL, draws=200, seed=0)
    rows.to_parquet(folder / "rows.parquet", index=False)
    write_report(folder)
    return folder
