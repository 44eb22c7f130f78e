"""Read a stored table of which no byte is trusted: it may be small and unfold to gigabytes."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kit.errors import VerificationError
from kit.result.tables import SCHEMAS
from kit.result.unusable import unusable

MAX_ROWS = 5_000_000
MAX_TABLE_BYTES = 1 << 30
# Stored answers, many of them equal, reach a factor of 50.
MAX_UNFOLDING = 500
SMALL_BYTES = 64 << 20  # below this no factor matters
MAX_ROW_GROUPS = 1_000  # the kit writes one for a million rows; each costs as much as a table
BATCH = 8192
# Above this texts are not read as dictionaries, of which each batch would have a copy; what a bomb
# in so large a table takes, `kit.verification.memory_limit` ends.
DICTIONARY_BYTES = 16 << 20
# Characters. An answer is cut at some hundred tokens; ROUGE and the lists of words grow with them.
MAX_TEXT = 20_000
MAX_ID = 500  # of a record; the longest of the kit's benchmarks has some 60
MAX_NAME = 500  # of a person or an event: numpy gives each record the width of the longest
MAX_ITEMS = 200  # keywords or candidates of one record
MAX_TOKENS = 8192  # of one given answer
_LONGEST = {
    "id": MAX_ID, "record_id": MAX_ID, "system": MAX_ID, "person": MAX_NAME, "event": MAX_NAME,
}  # fmt: skip
# Names by which answers are joined. numpy, for one, holds "p1" and "p1\0" for the same.
_JOINED = ("id", "record_id", "system", "person", "event")
_CONTROL = {"person": r"\x00", "event": r"\x00"}


def read_table(data: bytes, name: str) -> pa.Table:
    """Read the parquet file `name` of a result: exactly its columns, within fixed limits.

    What pandas noted in the file is dropped: it can rename columns and hide one as the index.

    Raises:
        VerificationError: it is damaged, too large, has other columns or types, text that is too
            long or not UTF-8, an empty item in a list, or a name with control characters.
    """
    try:
        return _read(data, name)
    except (pa.ArrowException, OSError, ValueError) as error:
        # Arrow's memory error is also a MemoryError; `kit.verification.memory_limit` explains it.
        if isinstance(error, MemoryError):
            raise
        raise unusable(name, error) from error


def _read(data: bytes, name: str) -> pa.Table:
    wanted = SCHEMAS[name]
    footer = pq.read_metadata(pa.BufferReader(data))
    grouped = sum(footer.row_group(n).num_rows for n in range(footer.num_row_groups))
    declared = sum(footer.row_group(n).total_byte_size for n in range(footer.num_row_groups))
    most = min(MAX_TABLE_BYTES, max(SMALL_BYTES, MAX_UNFOLDING * len(data)))
    if footer.num_rows > MAX_ROWS or declared > most or footer.num_row_groups > MAX_ROW_GROUPS:
        said = f"{footer.num_rows} rows in {footer.num_row_groups} groups, {declared} bytes"
        raise unusable(name, f"too large: {said}")
    # Texts as dictionaries: one text of a page can stand in each of a batch's rows.
    texts = [field.name for field in wanted if pa.types.is_string(field.type)]
    small = declared <= DICTIONARY_BYTES
    file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts if small else None)
    found = [(field.name, _plain(_looked_up(field.type))) for field in file.schema_arrow]
    if found != [(field.name, field.type) for field in wanted]:
        raise VerificationError(
            f"{name} has other columns than it should",
            expected=", ".join(f"{field.name} {field.type}" for field in wanted),
            found=", ".join(f"{column} {kind}" for column, kind in found),
            remedy="ask the signer for a result as this version of the kit writes it",
        )
    batches, size = [], 0
    for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
        # The footer may understate what the pages unfold to.
        size += sum(_unfolded(column) for column in batch.columns)
        if size > most:
            raise unusable(name, f"more than {most} bytes when unpacked, of {len(data)}")
        columns = [
            column.cast(kind) for column, kind in zip(batch.columns, wanted.types, strict=True)
        ]
        batches.append(pa.record_batch(columns, schema=wanted))
    table = pa.Table.from_batches(batches, wanted)
    if not table.num_rows == footer.num_rows == grouped:
        # Another reader would fail, or see other rows.
        stated = f"{footer.num_rows} rows, {grouped} in its groups"
        raise unusable(name, f"its footer states {stated}, but {table.num_rows} are there")
    table.validate(full=True)  # text that is not UTF-8
    if fault := next(_faults(table), None):
        raise unusable(name, fault)
    return table


def _looked_up(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values; texts were asked for as dictionaries."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type whatever the writer made of offsets and of lists that are all empty."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        empty = pa.types.is_null(kind.value_type)
        return pa.list_(pa.string() if empty else _plain(kind.value_type))
    return kind


def _unfolded(column: pa.Array) -> int:
    """Return how many bytes a column takes once its dictionary is looked up."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0) + int(column.indices.nbytes)


def _faults(table: pa.Table) -> Iterator[str]:
    """Yield why a table of well-formed text cannot be used."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        items = column
        if pa.types.is_list(column.type):
            kind = column.type.value_type
            items = pa.chunked_array([part.flatten() for part in column.chunks], kind)
            most = MAX_ITEMS if pa.types.is_string(kind) else MAX_TOKENS
            if (pc.max(pc.list_value_length(column)).as_py() or 0) > most:
                yield f"a list of {name} has more than {most} items"
            if items.null_count:
                yield f"a list of {name} has an empty item"
        if pa.types.is_string(items.type):
            most = _LONGEST.get(name, MAX_TEXT)
            if (pc.max(pc.utf8_length(items)).as_py() or 0) > most:
                yield f"a text of {name} has more than {most} characters"
        if name in _JOINED:
            control = pc.match_substring_regex(items, _CONTROL.get(name, r"\p{Cc}"))
            if pc.any(control).as_py():
                yield f"{name} has a control character"
