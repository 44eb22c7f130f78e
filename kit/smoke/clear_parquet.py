"""Write one configuration as the hub does: a folder with one parquet file, images inside it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Cells = dict[str, Any]  # values that pyarrow converts
ROW_GROUP_ROWS = 100  # part of the file's bytes
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
    "faces": {"image": IMAGE, "answer": TEXT, "options": TEXTS},
    "asked": {"image": IMAGE, **_ASKED, "options": TEXTS},
    "general": {**_SEEN, **_ASKED},
    "umu": {
        "ID": TEXT,
        "image": IMAGE,
        **dict.fromkeys(("Biography", "MM_QA", "UM_QA", "Classify", "Cloze", "Generation"), TEXT),
    },
}


def write_config(root: Path, config: str, kind: str, rows: Sequence[Cells]) -> None:
    """Write the rows of a configuration; missing cells become null.

    The file does not depend on the machine. It names the version of pyarrow that wrote it, which is
    locked.

    Args:
        root: folder of the dataset.
        config: name of the configuration.
        kind: key of `COLUMNS`.
        rows: column name -> value.
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
        row_group_size=ROW_GROUP_ROWS,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )


def as_image(path: str, image: Image.Image) -> Cells:
    """Return an image as a cell of the hub's image type."""
    stream = io.BytesIO()
    # Uncompressed, so that the bytes do not depend on the version of a compressor.
    image.save(stream, "png", compress_level=0)
    return {"bytes": stream.getvalue(), "path": path}
