"""Write one configuration as the hub does: a folder with one parquet file, images as bytes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Cells = dict[str, Any]
ROW_GROUP = 100  # rows; fixed, because it decides the bytes
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TEXT, TEXTS = pa.string(), pa.list_(pa.string())
_SEEN = {"image": IMAGE, "caption": TEXT, "name": TEXT}
_ASKED = {"question": TEXT, "answer": TEXT}
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "seen": _SEEN,
    "tofu": {"image": IMAGE, "caption": TEXT, **_ASKED},
    "perturbed": {
        **_SEEN,
        "paraphrased_caption": TEXT,
        "perturbed_captions": TEXTS,
        "perturbed_names": TEXTS,
    },
    "asked": {"image": IMAGE, **_ASKED, "options": TEXTS},
    "general": {**_SEEN, **_ASKED},
}


def write_config(root: Path, config: str, kind: str, rows: Sequence[Cells]) -> None:
    """Write the rows of a configuration; cells that a row lacks are null.

    Nothing in the file depends on the machine. It names the version of pyarrow that wrote it,
    which is the same everywhere because the packages are locked.
    """
    columns = COLUMNS[kind]
    table = pa.table(
        {name: pa.array([row.get(name) for row in rows], kept) for name, kept in columns.items()}
    )
    path = root / config / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )


def as_image(path: str, image: Image.Image) -> Cells:
    """Return a cell of the hub's image type."""
    stream = io.BytesIO()
    # Stored, not compressed: the bytes then depend on no version of a compressor.
    image.save(stream, "png", compress_level=0)
    return {"bytes": stream.getvalue(), "path": path}
