"""The two tables that say what was asked: the records and which column each one belongs to."""

from pathlib import Path

import pandas as pd

from kit.records import Benchmark


def sets_frame(benchmark: Benchmark) -> pd.DataFrame:
    """Return which record belongs to which column: target, concept (half), column, record_id."""
    rows = [
        (str(target), str(concept), str(column), record_id)
        for target, split in benchmark.splits.items()
        for (concept, column), ids in split.evaluation.items()
        for record_id in ids
    ]
    return pd.DataFrame(rows, columns=["target", "concept", "column", "record_id"])


def records_frame(benchmark: Benchmark, root: Path) -> pd.DataFrame:
    """Return the records that any column uses, with image paths relative to the dataset."""
    used = {
        record_id
        for split in benchmark.splits.values()
        for ids in split.evaluation.values()
        for record_id in ids
    }
    rows = [
        {
            "id": record.id,
            "concept": str(record.concept),
            "question": record.question,
            "answer": record.answer,
            "person": record.person,
            "event": record.event,
            "keywords": list(record.keywords),
            "image": record.image.relative_to(root).as_posix() if record.image else "",
        }
        for record in (benchmark.records[record_id] for record_id in sorted(used))
    ]
    return pd.DataFrame(rows)
