"""A result of 100,000 answers and 1,000 pictures: the toy result many times, with other texts."""

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kit.pictures.thumbnails import thumbnails
from tests.toys.results import make_rows, toy_inputs, toy_run

COPIES, PICTURES = 11, 1000
SEEDS = (1, 2)


def write_large_result(results: Path) -> int:
    """Write a result as the stages would leave it before `report`; return its answers."""
    inputs = toy_inputs(SEEDS)
    (results / "answers").mkdir(parents=True)
    records = _copied(inputs["records"], "id", ("person", "answer", "image"))
    answers = _copied(inputs["answers"], "record_id", ("text",))
    records["image"] = records["image"].where(records["image"] != "", records["id"] + ".png")
    frames = {
        "records": records, "sets": _copied(inputs["sets"], "record_id", ()),
        "answers/answers": answers, "answers/likelihoods": inputs["likelihoods"],
        "pictures": _pictures(records, results.parent / "pictures"),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_parquet(results / f"{name}.parquet", index=False)
    run = toy_run(inputs["systems"])
    (results / "run.json").write_text(json.dumps(run), encoding="utf-8")
    from kit.benchmarks import protocol
    from kit.metrics.rows import read_inputs

    rows = make_rows(**read_inputs(results), protocol=protocol("pebench"), draws=100, seed=0)
    rows.to_parquet(results / "rows.parquet", index=False)
    return len(answers)


def _copied(table: pd.DataFrame, key: str, fields: tuple[str, ...]) -> pd.DataFrame:
    """Return a table with copies: their keys differ, and some of their texts do."""
    copies = []
    for copy in range(COPIES):
        new = table.copy()
        new[key] = new[key] + f"-{copy:02}"
        for field in fields:
            new[field] = new[field].where(new[field] == "", new[field] + f" {copy}")
        if "text" in new:  # each third answer is like no other
            own = np.arange(len(new)) % 3 == 0
            new.loc[own, "text"] += " in scene " + new.index[own].astype(str)
        copies.append(new)
    return pd.concat(copies, ignore_index=True)


def _pictures(records: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return thumbnails of drawn pictures: smooth, with some noise, as photographs are."""
    folder.mkdir()
    names = sorted(set(records["image"]))[:PICTURES]
    generator = np.random.default_rng(0)
    paths = {}
    for number, name in enumerate(names):
        coarse = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        paths[name] = folder / f"{number}.png"
        coarse.resize((320, 240), Image.Resampling.BICUBIC).save(paths[name], compress_level=1)
    found = thumbnails(paths)
    rows = [(name, base64.b64encode(data).decode()) for name, data in found.items()]
    return pd.DataFrame(rows, columns=["image", "webp"])
