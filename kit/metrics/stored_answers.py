"""The stored tables of a result as records and likelihoods that can be joined with its answers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from kit.benchmarks.records import Concept, Record, asked_likelihoods, asked_tokens
from kit.errors import DataError
from kit.metrics.definition import GivenTokens, Likelihood, StoredAnswer

STOPS = ("eos", "length")
ROLES = ("answer", "candidate", "paraphrase")
MAX_NATS = 1e9  # of a whole answer; infinity and NaN are not measurements
REMEDY = "run `./run.sh evaluate MANIFEST` again, or get the result again"


def read_records(records: pd.DataFrame) -> dict[str, Record]:
    """Return {id: record} of records.parquet, in id order.

    Raises:
        DataError: an id occurs twice, or the kit does not know a concept.
    """
    names = [
        "id", "concept", "question", "answer", "person", "event", "keywords", "candidates",
        "paraphrase", "group",
    ]  # fmt: skip
    ordered = records.sort_values("id", kind="stable")[names]
    index: dict[str, Record] = {}
    for row in ordered.itertuples(index=False, name=None):
        key, concept, question, answer, person, event, keywords, candidates, paraphrase, group = row
        if key in index:
            raise DataError(
                f"record {key} occurs twice in records.parquet",
                expected="each id once",
                found=f"{int((ordered['id'] == key).sum())} records of this id",
                remedy=REMEDY,
            )
        if concept not in set(Concept):
            raise DataError(
                f"record {key} has an unknown concept",
                expected=", ".join(Concept),
                found=concept,
                remedy=REMEDY,
            )
        index[key] = Record(
            key,
            Concept(concept),
            question,
            answer,
            person=person,
            event=event,
            keywords=tuple(keywords),
            candidates=tuple(candidates),
            paraphrase=paraphrase,
            group=group,
        )
    return index


def read_likelihoods(
    table: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]
) -> dict[tuple[str, str], tuple[Likelihood, ...]]:
    """Return {(system, record id): likelihoods} of likelihoods.parquet.

    Raises:
        DataError: a row has an unknown record, system or role, occurs twice, or is not a
            log-probability.
    """
    ordered = table.sort_values(["system", "record_id", "role", "text"], kind="stable")
    refuse(
        ordered,
        "likelihood",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(systems), "belongs to no system of this result"),
            (~ordered["role"].isin(ROLES), f"has a role that is none of {', '.join(ROLES)}"),
            (ordered.duplicated(["system", "record_id", "role", "text"]), "occurs twice"),
            (~ordered["logprob"].between(-MAX_NATS, 0), "is not a log-probability"),
            (ordered["tokens"] < 1, "has no tokens"),
        ),
    )
    groups: dict[tuple[str, str], list[Likelihood]] = defaultdict(list)
    columns = ordered[["system", "record_id", *Likelihood._fields]]
    for system, record_id, *values in columns.itertuples(index=False, name=None):
        groups[system, record_id].append(Likelihood(*values))
    return {key: tuple(found) for key, found in groups.items()}


def read_tokens(
    table: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]
) -> dict[tuple[str, str], tuple[GivenTokens, ...]]:
    """Return {(system, record id): tokens of given answers} of tokens.parquet.

    Raises:
        DataError: a row has an unknown record, system or role, occurs twice, has lists of several
            lengths, or holds what is no log-probability, rank, entropy or deviation.
    """
    ordered = table.sort_values(["system", "record_id", "role", "text"], kind="stable")
    lists = ["logprob", "rank", "entropy", "deviation"]
    lengths = pd.DataFrame({name: ordered[name].map(len) for name in lists})
    uneven = lengths.ne(lengths["logprob"], axis=0).any(axis=1)
    low = {"logprob": -MAX_NATS, "rank": 1, "entropy": 0, "deviation": 0}
    high = {"logprob": 0, "rank": MAX_NATS, "entropy": MAX_NATS, "deviation": MAX_NATS}
    outside = {
        name: ~ordered[name].map(partial(_within, low=low[name], high=high[name])).astype(bool)
        for name in lists
    }
    refuse(
        ordered,
        "list of tokens",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(systems), "belongs to no system of this result"),
            (~ordered["role"].isin(ROLES), f"has a role that is none of {', '.join(ROLES)}"),
            (ordered.duplicated(["system", "record_id", "role", "text"]), "occurs twice"),
            (uneven | (lengths["logprob"] < 1), "has no tokens, or columns of several lengths"),
            (ordered["zlib_bytes"] < 1, "has a compressed text without bytes"),
            *((bad, f"has a {name} that is none") for name, bad in outside.items()),
        ),
    )
    groups: dict[tuple[str, str], list[GivenTokens]] = defaultdict(list)
    columns = ordered[["system", "record_id", "role", "text", "zlib_bytes", *lists]]
    for system, record_id, role, text, size, *arrays in columns.itertuples(index=False, name=None):
        numbers = [np.asarray(each, dtype=np.float64) for each in arrays]
        groups[system, record_id].append(GivenTokens(role, text, size, *numbers))
    return {key: tuple(found) for key, found in groups.items()}


def _within(values: Sequence[float], *, low: float, high: float) -> bool:
    numbers = np.asarray(values, dtype=np.float64)
    return bool(((numbers >= low) & (numbers <= high)).all())


def require_joinable(
    answers: pd.DataFrame, records: Mapping[str, Record], systems: Sequence[str]
) -> None:
    """Check that every answer belongs to one record and one system.

    Raises:
        DataError: an answer has an unknown record, system or stop reason, occurs twice, or has no
            text.
    """
    ordered = answers.sort_values(["system", "record_id"], kind="stable")
    refuse(
        ordered,
        "answer",
        (
            (~ordered["record_id"].isin(list(records)), "belongs to no record of this result"),
            (~ordered["system"].isin(systems), "belongs to no system of this result"),
            (ordered.duplicated(["system", "record_id"]), "occurs twice"),
            (ordered["text"].isna(), "has no text"),
            (~ordered["stop"].isin(STOPS), f"has a stop that is none of {', '.join(STOPS)}"),
        ),
    )


def require_complete(
    answer: StoredAnswer, record: Record, system: str, *, each_token: bool = False
) -> None:
    """Check that all likelihoods of a record are stored: scoring only some would mislead.

    Args:
        answer: the answer with its likelihoods.
        record: what was asked.
        system: who answered.
        each_token: whether the manifest asks for tokens.

    Raises:
        DataError: some are missing, or some were not asked for.
    """
    kinds = {"likelihoods": ({(g.role, g.text) for g in answer.likelihoods}, asked_likelihoods)}
    if each_token:
        kinds["tokens"] = ({(g.role, g.text) for g in answer.tokens}, asked_tokens)
    for kind, (given, ask) in kinds.items():
        if given != (asked := ask(record)):
            raise DataError(
                f"the {kind} of system {system} for record {record.id} are not those asked for",
                expected=f"{len(asked)}",
                found=f"{len(given)}",
                remedy=REMEDY,
            )


def require_read(read: Collection[tuple[str, str]], answers: pd.DataFrame) -> None:
    """Check that Vanilla read every answer, and nothing else.

    Args:
        read: (system, record id) of what it read.
        answers: all answers of the result.

    Raises:
        DataError: it did not; the first such answer is named.
    """
    there = set(zip(answers["system"], answers["record_id"], strict=True))
    if other := sorted(there ^ set(read)):
        system, record_id = other[0]
        known = other[0] in there
        raise DataError(
            f"the answer of system {system} to record {record_id} "
            f"{'was not read by Vanilla' if known else 'that Vanilla read does not exist'}",
            expected="one row of read_by_vanilla.parquet for each answer",
            found=f"{len(other)} that differ",
            remedy=REMEDY,
        )


def refuse(rows: pd.DataFrame, kind: str, faults: Iterable[tuple["pd.Series[bool]", str]]) -> None:
    for bad, what in faults:
        if bad.any():
            first = rows[bad].iloc[0]
            raise DataError(
                f"the {kind} of system {first['system']} for record {first['record_id']} {what}",
                expected=f"each {kind} once, of a system and a record of this result, and whole",
                found=f"{int(bad.sum())} such {kind}s",
                remedy=REMEDY,
            )
