"""The files of one split: a whole set of shards, in one folder, and no other set beside it.

The hub names shards `train-00000-of-00002.parquet`; older uploads put 16 digits of a digest behind,
`train-00000-of-00002-75b6649fb044d38b.parquet`, another for each shard.
"""

import re
from pathlib import Path

from kit.errors import DataError

SHARD = re.compile(
    r"(?P<set>.*)-(?P<number>\d+)-of-(?P<count>\d+)(-[0-9a-f]{16})?\.parquet", re.IGNORECASE
)
MAX_SHOWN = 8  # folders in a message
COPY = re.compile(r"\d+-of-\d+")  # such as `train-00000-of-00001 (1).parquet`


def require_one_split(what: str, tables: list[Path], root: Path) -> None:
    """Check that tables are the files of one split, all of them.

    Args:
        what: what they are, for the message: "the configuration 'full'".
        tables: parquet files below `root`.
        root: the folder of the source.

    Raises:
        DataError: they lie in several folders; a shard is missing, is of another set, such as an
            earlier revision's, or is a copy under another name; or there are several splits.
    """
    folders = sorted({path.parent.relative_to(root).as_posix() for path in tables})
    if len(folders) > 1:
        raise DataError(
            f"the source's list has {what} in several folders",
            expected="one folder: a copy of a table, or another table, would be read as more rows",
            found=", ".join(folders[:MAX_SHOWN]),
            remedy="take the others out of the list, or name one folder in the source's `files`",
        )
    if copies := [t.name for t in tables if not SHARD.fullmatch(t.name) and COPY.search(t.name)]:
        raise DataError(
            f"{what} has a copy of a shard under another name",
            expected="files such as train-00000-of-00001.parquet: rows of a copy are no more rows",
            found=", ".join(copies),
            remedy="take it out of the list; in a folder of your own, delete it and run "
            "`./run.sh lock MANIFEST`",
        )
    sets: dict[str, list[tuple[int, int]]] = {}
    for table in tables:
        if match := SHARD.fullmatch(table.name):
            numbers = int(match["number"]), int(match["count"])
            sets.setdefault(match["set"].casefold(), []).append(numbers)
    for name, shards in sets.items():
        count = shards[0][1]
        if sorted(shards) != [(number, count) for number in range(count)]:
            raise DataError(
                f"the files of {what} are not one whole set",
                expected=f"{count} files, {name}-00000-of-{count:05}.parquet and following",
                found=", ".join(table.name for table in tables),
                remedy="list all files of one revision, and no file of another",
            )
    if len(sets) > 1:
        raise DataError(
            f"{what} has several splits",
            expected="the files of one split: their rows would be read together",
            found=", ".join(sorted(sets)),
            remedy=f"name one of them in the source's `files`, such as {min(sets)}-*, then run "
            "`./run.sh lock MANIFEST`",
        )
