"""The tables of what was asked: the records, the columns of each, and thumbnails of images."""

import base64

import pandas as pd

from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Record
from kit.experiment.manifest import Manifest, is_of_the_kit
from kit.pictures.thumbnails import thumbnails
from kit.sources.datasets import image_name


def sets_frame(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per column and record in it: target, part, column, record_id."""
    rows = [
        (str(target), str(part), str(column), record_id)
        for target, split in benchmark.splits.items()
        for (part, column), ids in split.evaluation.items()
        for record_id in ids
    ]
    return pd.DataFrame(rows, columns=["target", "part", "column", "record_id"])


def records_frame(benchmark: Benchmark, places: dict[str, Place]) -> pd.DataFrame:
    """Return the records that at least one column uses; images are named by source and path."""
    rows = [
        {
            "id": record.id,
            "concept": str(record.concept),
            "question": record.question,
            "answer": record.answer,
            "person": record.person,
            "event": record.event,
            "keywords": list(record.keywords),
            "candidates": list(record.candidates),
            "paraphrase": record.paraphrase,
            "group": record.group,
            "image": image_name(places, record.image) if record.image else "",
        }
        for record in _asked(benchmark)
    ]
    return pd.DataFrame(rows)


def pictures_frame(
    benchmark: Benchmark, places: dict[str, Place], manifest: Manifest
) -> pd.DataFrame:
    """Return a thumbnail of each image that may be passed on: image, webp (base64).

    `report.images` says whether all may. Without it, those of the kit's own sources may.
    """
    wanted = manifest.report.images
    named = [each.name for each in manifest.sources if wanted or is_of_the_kit(each)]
    starts = tuple(f"{name}{end}" for name in named for end in ("/", ".images/"))
    images = {record.image for record in _asked(benchmark) if record.image}
    every = {image_name(places, image): image for image in images if wanted is not False}
    found = thumbnails({name: path for name, path in every.items() if name.startswith(starts)})
    rows = [(name, base64.b64encode(data).decode("ascii")) for name, data in found.items()]
    return pd.DataFrame(rows, columns=["image", "webp"])


def _asked(benchmark: Benchmark) -> list[Record]:
    """Return the records that at least one column uses, sorted by id."""
    used = {
        record_id
        for split in benchmark.splits.values()
        for ids in split.evaluation.values()
        for record_id in ids
    }
    return [benchmark.records[record_id] for record_id in sorted(used)]
