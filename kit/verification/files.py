"""Which files a result of this version has: whatever else is signed would be read as part of it."""

from collections.abc import Collection, Iterable, Mapping

from kit import __version__
from kit.errors import VerificationError
from kit.names import show
from kit.result.layout import (
    ADAPTERS,
    ANSWERS,
    ATTACKED,
    BILL,
    CARD,
    CLAIMS,
    CRATE,
    LIKELIHOODS,
    OPTIONAL_TABLES,
    PICTURES,
    README,
    RECORDS,
    REPORT,
    ROWS,
    RUN,
    SETS,
    SUMS,
)

# Beside the report, whose pages are held against those that follow, and the signatures.
FILES = frozenset(
    {RUN, RECORDS, SETS, ROWS, ANSWERS, ATTACKED, LIKELIHOODS, *OPTIONAL_TABLES, CLAIMS, BILL}
    | {CRATE, SUMS, PICTURES}
)
NAMED = 5


def require_result_files(subjects: Collection[str], adapters: Mapping[str, Iterable[str]]) -> None:
    """Check that a result has a report, and no file that no result has.

    Args:
        subjects: the paths of all signed files.
        adapters: the adapters that the manifest implies, with the files that each leaves; some may
            be left out.

    Raises:
        VerificationError: there is no report, or there are such files; the first are named.
    """
    if not any(name.startswith(REPORT) for name in subjects):
        raise VerificationError(
            f"the signed result has no {REPORT}, so that nothing shows what follows from it",
            expected="the report that every result has",
            found=f"{len(subjects)} signed files, none of them below {REPORT}",
            remedy="get the whole result; of your own run: ./run.sh report, then ./run.sh sign",
        )
    kept = {
        f"{ADAPTERS}/{adapter}/{name}"
        for adapter, files in adapters.items()
        for name in (*files, CARD, README)
    }
    known = FILES | kept
    strangers = sorted(n for n in subjects if n not in known and not n.startswith(REPORT))
    if strangers:
        more = [f"and {len(strangers) - NAMED} more"] if len(strangers) > NAMED else []
        raise VerificationError(
            f"files are signed that no result has: {len(strangers)}",
            expected=f"those that version {__version__} of the kit writes, and of adapters only "
            "those that the manifest implies",
            found="\n    ".join(map(show, strangers[:NAMED] + more)),
            remedy="do not rely on them: nothing that they say was checked; ask the signer",
        )
