"""The first checks of `verify`: what was signed, by whom, and whether the folder is just that.

They read no table, so they need no pandas and no pyarrow: they run before these are installed.
"""

from collections.abc import Callable, Iterable

from kit.result.layout import (
    ADAPTERS,
    ATTACKED,
    BUNDLE,
    CLAIMS,
    ENVELOPE,
    INPUTS,
    LOSSES,
    OPTIONAL_TABLES,
    PICTURES,
    REPORT,
    SSH_SIGNATURE,
    SUMS,
    TEST_RESULT,
)
from kit.result.sizes import require_small_report
from kit.result.tree import compare_tree, walk
from kit.verification.case import Case, Finding
from kit.verification.signatures import read_signed
from kit.verification.statements import require_agreement

Found = Iterable[str | Finding]  # a message of what holds, or a finding that says more


def of_signature(case: Case) -> Found:
    case.signed = read_signed(
        case.results, case.trusted, case.identity, authorities=case.authorities, now=case.now
    )
    yield case.signed.describe()


def of_files(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    compare_tree(walk(case.results), subjects)
    beside = f", beside {BUNDLE}, which was not checked" if case.signed.is_bundle_unchecked else ""
    yield f"{len(subjects)} files are exactly those that were signed{beside}"


def of_statements(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    report = [name for name in subjects if name.startswith(REPORT)]
    require_small_report((case.results / name).stat().st_size for name in report)
    more = [name for name in (CLAIMS, ATTACKED, PICTURES, *OPTIONAL_TABLES) if name in subjects]
    more += [name for name in subjects if name.startswith(ADAPTERS) and name.endswith(LOSSES)]
    case.held = {name: case.read(name) for name in (SUMS, *INPUTS, *more, *report)}
    require_agreement(case.signed, case.held)
    yield f"{ENVELOPE}, {TEST_RESULT} and {SSH_SIGNATURE} are by one key and agree"


INTEGRITY: dict[str, Callable[[Case], Found]] = {
    "signature": of_signature,
    "files": of_files,
    "statements": of_statements,
}
