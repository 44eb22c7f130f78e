"""Are the parquet tables of a source tables at all, and has each column one name?

A loader would read a doubled column as its last one, without a word. A pointer to a file, or a page
of an error, is told apart from a damaged table: another remedy helps.
"""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kit.benchmarks.parquet import Place
from kit.errors import DataError
from kit.pictures.content import describe_bytes

MAGIC = b"PAR1"
HEAD_BYTES = 512
POINTERS = {
    b"version https://git-lfs": "a git-lfs pointer",
    b"# xet version": "a xet pointer",
    b"/annex/objects/": "a git-annex pointer",
}
PULL = "run `git lfs pull`, `git xet checkout` or `git annex get` where the data was cloned"
AGAIN = "get the table again from its publisher, then run `./run.sh lock MANIFEST`"


def require_tables(place: Place) -> None:
    """Check every parquet table of a source.

    Args:
        place: the folder of its listed files alone.

    Raises:
        DataError: a file is no table, or a column is there twice.
    """
    for table in place.all_tables():
        _require_table(table, table.relative_to(place.path).as_posix())


def _require_table(table: Path, name: str) -> None:
    with table.open("rb") as stream:
        begin = stream.read(HEAD_BYTES)
    if not begin.startswith(MAGIC):
        pointer = next((kind for mark, kind in POINTERS.items() if begin.startswith(mark)), None)
        kind = pointer or describe_bytes(begin)
        raise DataError(
            f"{name} is no parquet table",
            expected="a file that begins with PAR1",
            found=f"{kind}, {table.stat().st_size} bytes",
            remedy=f"{PULL}, then run `./run.sh lock MANIFEST`" if pointer else AGAIN,
        )
    try:
        names = pq.read_schema(table).names
    except (pa.ArrowException, OSError):
        return  # damaged or cut off: the loader says so
    if doubled := [column for column, count in Counter(names).items() if count > 1]:
        raise DataError(
            f"{name} has the column '{doubled[0]}' {names.count(doubled[0])} times",
            expected="every column once: two readers could read two values",
            found=", ".join(names),
            remedy="rename or remove one of them, then run `./run.sh lock MANIFEST`",
        )
