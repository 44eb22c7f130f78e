"""The five tables of a result: their columns, and a reader that trusts none of their bytes."""

import pyarrow as pa
import pyarrow.parquet as pq

from kit.errors import VerificationError
from kit.result_tree import show
from kit.rows import ROW_TYPES

RECORDS, SETS = "records.parquet", "sets.parquet"
ANSWERS, LIKELIHOODS = "answers/answers.parquet", "answers/likelihoods.parquet"
ROWS = "rows.parquet"

MAX_ROWS = 5_000_000
MAX_TABLE_BYTES = 1 << 30
# A few kilobytes can unfold to gigabytes. Stored answers, many of them equal, reach a factor of 50.
MAX_UNFOLDING = 500
SMALL_BYTES = 64 << 20  # below this no factor matters
BATCH = 8192

_TEXT = pa.string()
_ARROW = {
    "str": _TEXT, "Int64": pa.int64(), "int64": pa.int64(), "float64": pa.float64(),
    "bool": pa.bool_(),
}  # fmt: skip
SCHEMAS = {
    RECORDS: pa.schema(
        {
            **dict.fromkeys(("id", "concept", "question", "answer", "person", "event"), _TEXT),
            **dict.fromkeys(("keywords", "candidates"), pa.list_(_TEXT)),
            **dict.fromkeys(("paraphrase", "group", "image"), _TEXT),
        }
    ),
    SETS: pa.schema(dict.fromkeys(("target", "part", "column", "record_id"), _TEXT)),
    ANSWERS: pa.schema(
        {"record_id": _TEXT, "system": _TEXT, "text": _TEXT, "tokens": pa.int32(), "stop": _TEXT}
    ),
    LIKELIHOODS: pa.schema(
        {
            **dict.fromkeys(("record_id", "system", "role", "text"), _TEXT),
            "logprob": pa.float64(),  # nats, summed over the tokens
            "tokens": pa.int32(),
        }
    ),
    ROWS: pa.schema({name: _ARROW[kind] for name, kind in ROW_TYPES.items()}),
}


def read_table(data: bytes, name: str) -> pa.Table:
    """Read the parquet file `name` of a result: exactly its columns, within fixed limits.

    What pandas noted in the file is dropped: it can rename columns and hide one as the index.

    Raises:
        VerificationError: it is damaged, too large, or has other columns or types.
    """
    try:
        return _read(data, name)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unusable(name, error) from error


def _read(data: bytes, name: str) -> pa.Table:
    wanted = SCHEMAS[name]
    file = pq.ParquetFile(pa.BufferReader(data))
    footer = file.metadata
    declared = sum(footer.row_group(n).total_byte_size for n in range(footer.num_row_groups))
    most = min(MAX_TABLE_BYTES, max(SMALL_BYTES, MAX_UNFOLDING * len(data)))
    if footer.num_rows > MAX_ROWS or declared > most:
        raise unusable(name, f"too large: {footer.num_rows} rows, {declared} bytes")
    found = [(field.name, _plain(field.type)) for field in file.schema_arrow]
    if found != [(field.name, field.type) for field in wanted]:
        raise VerificationError(
            f"{name} has other columns than it should",
            expected=", ".join(f"{field.name} {field.type}" for field in wanted),
            found=", ".join(f"{column} {kind}" for column, kind in found),
            remedy="ask the signer for a result as this version of the kit writes it",
        )
    batches, size = [], 0
    for batch in file.iter_batches(batch_size=BATCH, use_threads=False):
        batches.append(batch.replace_schema_metadata(None))
        size += batch.nbytes
        # The footer may understate what the pages unfold to.
        if size > most:
            raise unusable(name, f"more than {most} bytes when unpacked, of {len(data)}")
    return pa.Table.from_batches(batches).cast(wanted) if batches else wanted.empty_table()


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type whatever the writer made of offsets and of lists that are all empty."""
    if pa.types.is_large_string(kind):
        return _TEXT
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        empty = pa.types.is_null(kind.value_type)
        return pa.list_(_TEXT if empty else _plain(kind.value_type))
    return kind


def unusable(name: str, reason: object) -> VerificationError:
    """Return the error for a signed file that cannot be read as what its name says."""
    return VerificationError(
        f"{name} cannot be used to recompute the result",
        found=show(str(reason)),  # a stranger's text is one line of the message, and no more
        remedy="ask the signer for a result as the kit writes it",
    )
