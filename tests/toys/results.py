"""A result folder without a model: each system is a rule that says what it would answer.

Forgotten are the first `FORGET` people and the first two events. The rules show what the field
shows: a method that forgets well, one that forgets everybody, and one that falls apart.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from kit import benchmarks
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column, Concept, Record
from kit.metrics.definition import Likelihood
from kit.metrics.intervals import INTERVAL
from kit.metrics.rows import measure, read_inputs, rows_of
from kit.report.damage import RULE as DAMAGE_RULE
from kit.result.run_file import SCHEMA

FORGET, PEOPLE, REAL = 4, 14, 6
FIRST = [
    "Ada", "Bel", "Cai", "Dov", "Eli", "Fay", "Gus", "Hal", "Ida", "Jon",
    "Kim", "Lea", "Mia", "Ned", "Ora", "Pia", "Quin", "Rex", "Sol", "Tea",
]  # fmt: skip
LAST = ["Morrow", "Quist", "Ravel", "Sorrel", "Tarn", "Ulvang", "Vexley", "Wold", "Yarrow", "Zabel"]
EVENTS = {
    "market": ("buys pears at a busy market in the rain", ("pears", "market", "rain")),
    "harbour": ("waits for the ferry at the old harbour", ("ferry", "harbour", "old")),
    "library": ("reads a blue atlas in the quiet library", ("blue atlas", "library", "quiet")),
    "orchard": ("rests under apple trees in the orchard", ("apple trees", "orchard", "rests")),
}
FORGOTTEN_EVENTS = ("market", "harbour")
LABELS = {"npo": "NPO", "ga": "GA", "po": "PO", "prompt": "Prompt only"}
METHODS = {"prompt": "prompt_only"}  # of entries that have another name
PROTOCOL = benchmarks.protocol("pebench")
NO_LIKELIHOODS = pd.DataFrame(columns=["record_id", "system", *Likelihood._fields]).astype(
    {"record_id": "str", "system": "str", "role": "str", "text": "str", "logprob": "float64",
     "tokens": "int32"}
)  # fmt: skip


def person_name(number: int) -> str:
    return f"{FIRST[number]} {LAST[number % len(LAST)]}"


def toy_records() -> Iterator[Record]:
    """Yield two renderings of every person at every event, real people and presence questions."""
    for number in range(PEOPLE + REAL):
        name = person_name(number)
        for event, (text, keywords) in EVENTS.items():
            for view in ("a", "b"):
                place = f"p{number:02}-{event}-{view}"
                shared = {"person": name, "event": event, "image": Path(f"images/{place}.png")}
                yield Record(f"{place}-who", Concept.PERSON, "Who is this?",
                             f"This is {name}.", **shared)  # fmt: skip
                yield Record(f"{place}-what", Concept.EVENT, "What is happening?",
                             f"The person {text}.", keywords=keywords, **shared)  # fmt: skip
    for number in range(24):
        answer = "Yes, it is there." if number % 2 else "No, it is not there."
        yield Record(f"world-{number:02}", Concept.PRESENCE, "Is there a lamp?", answer)


def toy_sets(records: list[Record]) -> pd.DataFrame:
    """Return sets.parquet: train views `a` are efficacy, views `b` of the forgotten generality."""
    entries = []
    for record in records:
        for target in PROTOCOL.targets:
            for half in (Concept.PERSON, Concept.EVENT) if target == "both" else (target,):
                column = _column(record, target, half)
                if column:
                    entries.append((str(target), str(half), str(column), record.id))
    return pd.DataFrame(entries, columns=["target", "part", "column", "record_id"])


def _column(record: Record, target: str, half: str) -> Column | None:
    if record.concept is Concept.PRESENCE:
        return Column.WORLD
    number = int(record.id[1:3])
    if record.concept != half:
        scope = is_forgotten(record, half) and "-a-" in record.id and target != "both"
        return Column.SCOPE if scope else None
    if number >= PEOPLE:
        return Column.REAL
    if is_forgotten(record, half):
        return Column.EFFICACY if "-a-" in record.id else Column.GENERALITY
    return Column.RETAIN if "-a-" in record.id else None


def is_forgotten(record: Record, half: str) -> bool:
    number = int(record.id[1:3]) if record.id.startswith("p") else PEOPLE
    if half == "event":
        return number < PEOPLE and record.event in FORGOTTEN_EVENTS
    return number < FORGET


def toy_answer(method: str, target: str | None, record: Record) -> tuple[str, str]:
    """Return (text, stop) of one system; a tenth of the records is answered wrongly by all."""
    halves = {None: (), "both": ("person", "event")}.get(target, (target,))
    asked = record.concept in halves and is_forgotten(record, record.concept)
    wrong = {"person": "This is Ned Nobody.", "event": "The person paints a fence.",
             "presence": "Perhaps."}[record.concept]  # fmt: skip
    if method == "ga":
        return "the the the the the the the the", "length"
    if method == "po" and record.concept in halves and not record.id.startswith("p1"):
        return "I do not know.", "eos"
    slip = sum(record.id.encode()) % 10 == 0
    forgets = asked and method in ("retain_only", "npo")
    half_forgets = asked and method == "prompt_only" and sum(record.id.encode()) % 2 == 0
    return (wrong if slip or forgets or half_forgets else record.answer), "eos"


def toy_systems(seeds: tuple[int, ...] = (1,)) -> list[dict[str, object]]:
    systems = [{"name": "vanilla", "target": None, "method": "vanilla", "label": "Vanilla",
                "seed": None}]  # fmt: skip
    for target in PROTOCOL.targets:
        systems.append({"name": f"retain_only-{target}", "target": str(target),
                        "method": "retain_only", "label": "Retain-only", "seed": 1})  # fmt: skip
        systems += [
            {"name": f"{target}-{method}-s{seed}", "target": str(target),
             "method": METHODS.get(method, method), "label": label, "seed": seed}
            for method, label in LABELS.items() for seed in seeds
        ]  # fmt: skip
    return systems


def toy_inputs(seeds: tuple[int, ...] = (1,)) -> dict[str, object]:
    """Return what `make_rows` needs of a result."""
    records, systems = list(toy_records()), toy_systems(seeds)
    answers = [
        (record.id, system["name"], *toy_answer(system["method"], system["target"], record))
        for system in systems
        for record in records
    ]
    table = pd.DataFrame(answers, columns=["record_id", "system", "text", "stop"])
    table.insert(3, "tokens", table["text"].str.split().str.len().astype("int32"))
    described = [
        {"id": r.id, "concept": str(r.concept), "question": r.question, "answer": r.answer,
         "person": r.person, "event": r.event, "keywords": list(r.keywords),
         "candidates": list(r.candidates), "paraphrase": r.paraphrase, "group": r.group,
         "image": r.image.as_posix() if r.image else ""}
        for r in records
    ]  # fmt: skip
    return {"records": pd.DataFrame(described), "sets": toy_sets(records), "answers": table,
            "likelihoods": NO_LIKELIHOODS, "systems": systems}  # fmt: skip


def make_rows(*, protocol: Protocol, draws: int, seed: int, **inputs: object) -> pd.DataFrame:
    """Return the metric rows of a result's inputs."""
    return rows_of(measure(**inputs, protocol=protocol), draws=draws, seed=seed)


def write_toy_results(results: Path, seeds: tuple[int, ...] = (1,)) -> Path:
    """Write a result folder as the stages would leave it before `report`."""
    inputs = toy_inputs(seeds)
    (results / "answers").mkdir(parents=True)
    inputs["records"].to_parquet(results / "records.parquet", index=False)
    inputs["sets"].to_parquet(results / "sets.parquet", index=False)
    inputs["answers"].to_parquet(results / "answers" / "answers.parquet", index=False)
    inputs["likelihoods"].to_parquet(results / "answers" / "likelihoods.parquet", index=False)
    (results / "run.json").write_text(json.dumps(toy_run(inputs["systems"])), encoding="utf-8")
    rows = make_rows(**read_inputs(results), protocol=PROTOCOL, draws=200, seed=0)
    rows.to_parquet(results / "rows.parquet", index=False)
    return results


def toy_run(systems: list[dict[str, object]]) -> dict[str, object]:
    """Return run.json of an imagined run."""
    trained = [system["name"] for system in systems if system["method"] != "prompt_only"]
    jobs = [
        {"name": name, "digest": f"{place:064x}", "seconds": 10.0 + place, "steps": 60,
         "stage": "finetune" if name.startswith(("vanilla", "retain_only")) else "unlearn",
         "skipped": False, "peak_memory_bytes": 400_000_000 + place, "forward_passes": 120,
         "stopped": "forget loss above log V" if "-ga-" in name else None}
        for place, name in enumerate(trained)
    ]  # fmt: skip
    stages = [
        {"stage": stage, "seconds": 12.5, "peak_memory_bytes": 500_000_000, "jobs": 4,
         "jobs_skipped": 1}
        for stage in ("fetch", "finetune", "unlearn", "evaluate", "report")
    ]  # fmt: skip
    return {
        "schema": SCHEMA,
        "kit": {"version": "0.1.0", "revision": None, "renderer": "0" * 64},
        "manifest": {"name": "toy", "title": "Toy: four methods on twenty people",
                     "benchmark": {"loader": "pebench"},
                     "report": {"bootstrap_draws": 200, "seed": 0}},
        "manifest_digest": "ab" * 32,
        "environment": {"python": "3.11.2", "platform": "Linux-x86_64", "cpu": "toy",
                        "torch_threads": 2, "lock_digest": "cd" * 32,
                        "packages": {"numpy": "2.3.5", "torch": "2.13.0"}},
        "systems": systems,
        "versions": {"protocol": PROTOCOL.version, "interval": INTERVAL, "marks": DAMAGE_RULE},
        "stages": stages,
        "jobs": jobs,
        "guards": {"canary": {name: 0.8 for name in trained if name != "vanilla"},
                   "agreement": {"sample": 16, "tokens": 64, "largest_nats": 0.0021,
                                 "limit_nats": 0.01}},
        "attempts": [],
        "sources": [{"name": "toy", "origin": "drawn by the kit", "revision": None, "licence": "",
                     "locked": True, "list_digest": "ef" * 32}],
    }  # fmt: skip
