"""The tables of a result and their columns. `kit.result.table_reading` reads them safely."""

import pyarrow as pa

from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    DISTANCES,
    GRADIENTS,
    JUDGED,
    LIKELIHOODS,
    PICTURES,
    READ_BY_VANILLA,
    RECORDS,
    ROWS,
    SETS,
    TOKENS,
)

ROW_TYPES = {
    "system": "str", "target": "str", "method": "str", "label": "str", "seed": "Int64",
    "part": "str", "column": "str", "metric": "str", "version": "int64", "value": "float64",
    "reason": "str", "n": "int64", "clusters": "int64", "low": "float64", "high": "float64",
    "better": "str", "headline": "bool",
}  # fmt: skip
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
    PICTURES: pa.schema({"image": _TEXT, "webp": _TEXT}),  # WebP as base64
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
    ATTACKED: pa.schema(
        {
            **dict.fromkeys(("system", "target", "attack"), _TEXT),
            "level": pa.float64(),
            **dict.fromkeys(("record_id", "question", "picture", "text"), _TEXT),
            "tokens": pa.int32(),
            "stop": _TEXT,
        }
    ),
    TOKENS: pa.schema(  # one row for each given answer; lists hold one item for each of its tokens
        {
            **dict.fromkeys(("record_id", "system", "role", "text"), _TEXT),
            "zlib_bytes": pa.int32(),  # of the compressed text; builds of zlib differ in it
            "logprob": pa.list_(pa.float32()),  # nats
            "rank": pa.list_(pa.int32()),  # 1: the likeliest token
            "entropy": pa.list_(pa.float32()),  # nats, of the whole distribution
            "deviation": pa.list_(pa.float32()),  # nats, of log-probabilities under it
        }
    ),
    DISTANCES: pa.schema(  # one row for each reference answer and Retain-only model
        {
            **dict.fromkeys(("record_id", "system", "reference"), _TEXT),
            "divergence": pa.list_(pa.float32()),  # Jensen-Shannon, bits
            "distance": pa.list_(pa.float32()),  # L2, of the two distributions
        }
    ),
    GRADIENTS: pa.schema(  # one row for each reference answer of the forget set and the holdout
        {**dict.fromkeys(("record_id", "system"), _TEXT), "norm": pa.float64()}
    ),
    READ_BY_VANILLA: pa.schema(  # one row for each generated answer, as Vanilla reads it
        {
            **dict.fromkeys(("record_id", "system"), _TEXT),
            "logprob": pa.float64(),  # nats, summed over the tokens
            "tokens": pa.int32(),
        }
    ),
    JUDGED: pa.schema(  # one row for each answer in free text and each reply of the judge
        {**dict.fromkeys(("record_id", "system", "reply"), _TEXT), "logprob": pa.float64()}
    ),
    ROWS: pa.schema({name: _ARROW[kind] for name, kind in ROW_TYPES.items()}),
}
