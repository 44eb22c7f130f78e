"""Load a result in Python: it is verified first, then its tables are pandas tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kit.exchange.columns import COLUMNS, FILES
from kit.metrics.definition import Definition
from kit.metrics.scores import score_answers
from kit.result.argument import find_result
from kit.result.run_file import System, entry_of
from kit.result.stored import StoredResult
from kit.result.tables import ROW_TYPES
from kit.signing.trust import trusted_keys
from kit.verification.case import Policy
from kit.verification.memory_limit import guarded
from kit.verification.verify import verify

SEED = {"seed": "Int64"}


@dataclass(frozen=True)
class Result:
    """The tables of a verified result; `kit.exchange.columns` describes each column.

    `attacked`, `tokens` and `distances` are None if the manifest does not request them. `run`
    is the content of run.json. `checked` says what was verified: `ok: ...` or `not checked: ...`.
    """

    records: pd.DataFrame
    sets: pd.DataFrame
    answers: pd.DataFrame
    likelihoods: pd.DataFrame
    rows: pd.DataFrame
    systems: pd.DataFrame
    claims: pd.DataFrame
    attacked: pd.DataFrame | None
    tokens: pd.DataFrame | None
    distances: pd.DataFrame | None
    run: Mapping[str, object]
    checked: tuple[str, ...]

    def measure(self, metric: Definition) -> pd.DataFrame:
        """Return the values of another metric of answers: columns record_id, system and value.

        Answers for which the metric is not defined are left out.

        Args:
            metric: a definition, as `METRIC` in a file of `evaluation.metric_file`.
        """
        scores = score_answers(
            self.records,
            self.answers,
            self.likelihoods,
            list(self.systems["name"]),
            {metric.name: metric},
            self.tokens,
        )
        found = []
        for system, row in scores.rows.items():
            ids = [name for name, place in scores.columns.items() if scores.answered[row, place]]
            values = scores.of(system, metric.name, ids)
            found.append(pd.DataFrame({"record_id": ids, "system": system, "value": values}))
        return pd.concat(found).dropna(subset="value").reset_index(drop=True)


def load(
    result: str | Path, *, trust: str | Path | None = None, policy: Policy = "strict"
) -> Result:
    """Verify a result and return its tables.

    Args:
        result: its folder, or the manifest that it was made from.
        trust: a public key to trust as well, as of `./run.sh verify --trust`.
        policy: `strict` runs all checks of `./run.sh verify`. `integrity` only checks signatures
            and files, which is faster, and recomputes no number.

    Raises:
        DataError: there is no result.
        SignatureError: it is not signed, or not by a key that is trusted.
        VerificationError: files or numbers are not what was signed.
    """
    folder = find_result(str(result))
    with guarded(folder):
        found = verify(
            folder,
            trusted=trusted_keys(None if trust is None else Path(trust)),
            policy=policy,
            keep=True,
        )
    assert found.kept is not None, "keep=True"
    said = tuple(f"{each.outcome}: {each.message}" for each in found.findings)
    return _tables(found.kept.stored, said)


def _tables(stored: StoredResult, checked: tuple[str, ...]) -> Result:
    held = {name: stored.tables[file] for name, file in FILES.items() if file in stored.tables}
    return Result(
        records=held["records"],
        sets=held["sets"],
        answers=held["answers"],
        likelihoods=held["likelihoods"],
        rows=stored.rows.to_pandas().astype(ROW_TYPES),
        systems=systems_table(stored.systems),
        claims=_claims_table(stored),
        attacked=held.get("attacked"),
        tokens=held.get("tokens"),
        distances=held.get("distances"),
        run=stored.run,
        checked=checked,
    )


def systems_table(systems: Sequence[System]) -> pd.DataFrame:
    """Return one row for each system."""
    rows = [{**system, "entry": entry_of(system)} for system in systems]
    return pd.DataFrame(rows, columns=list(COLUMNS["systems"])).astype(SEED)


def _claims_table(stored: StoredResult) -> pd.DataFrame:
    entries = stored.verdicts.entries if stored.verdicts else ()
    table = pd.DataFrame(list(entries))
    return table.reindex(columns=[c for c in COLUMNS["claims"] if c in table or not len(table)])
