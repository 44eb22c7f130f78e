"""Verify a result: who signed it, that it is unchanged, and that its numbers follow from it.

Without network, models or torch. The order matters: nothing in the folder is interpreted before a
trusted key has signed for its bytes.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.digests import canonical_json, format_checksums, sha256_bytes
from kit.envelope import open_envelope, signer_of
from kit.errors import SignatureError, VerificationError
from kit.keys import fingerprint
from kit.recomputation import INPUTS, RUN, read_run, recompute
from kit.report_check import FOLDER
from kit.result_tree import ENVELOPE, SUMS, Tree, read_bytes, sha256_of, show, walk
from kit.statement import Statement, predicate, read
from kit.strict_json import MAX_BYTES
from kit.trust import TrustedKey

MAX_FILE_BYTES = 512 << 20
NOT_PROVEN = """\
What this does not prove: that the answers came from running the kit on the stated data and
models (a run on one's own machine vouches for itself), when it was signed, who holds the key or
that it was not stolen, or that no other run was made and left out."""


@dataclass(frozen=True)
class Verification:
    """What was found to hold: the signer, and how much was checked."""

    role: str
    source: str
    fingerprint: str
    files: int
    rows: int
    systems: tuple[str, ...]
    messages: tuple[str, ...]


def verify(results: Path, *, trusted: Iterable[TrustedKey]) -> Verification:
    """Check signature, statement, every file, and that rows and tables follow from the answers.

    Raises:
        SignatureError: there is no signature, none by a trusted key, or its statement is not one.
        VerificationError: files or numbers are not what was signed; all differing files are named.
    """
    if not os.path.isfile(results / ENVELOPE):
        raise SignatureError(
            f"{results} is not signed: it has no {ENVELOPE}",
            remedy="for your own run: ./run.sh sign; otherwise get the whole result",
        )
    envelope = open_envelope(read_bytes(results / ENVELOPE, max_bytes=MAX_BYTES))
    signer = signer_of(envelope, tuple(trusted))
    statement = read(envelope.payload)
    compare_tree(walk(results), statement.subjects)
    pages = [name for name in statement.subjects if name.startswith(FOLDER)]
    held = {name: _held(results, name, statement) for name in (SUMS, *INPUTS, *pages)}
    _compare_sums(held[SUMS], statement.subjects)
    run = read_run(held[RUN])
    _compare_predicate(run, statement)
    rows = recompute(held)
    return Verification(
        role=signer.role,
        source=signer.source,
        fingerprint=fingerprint(signer.public),
        files=len(statement.subjects),
        rows=len(rows),
        systems=tuple(sorted(set(rows["system"]))),
        messages=(
            f"signed by {signer.role} ({show(signer.source)})",
            f"{len(statement.subjects)} files are exactly those that were signed",
            f"{len(rows)} rows recomputed from the stored answers are equal to the stored ones",
            f"the {len(pages)} files of the report are what follows from them"
            if pages
            else "there is no report to check",
        ),
    )


def compare_tree(tree: Tree, subjects: Mapping[str, str]) -> None:
    """Hold a folder against {path: SHA-256}; `tree` is consumed.

    Raises:
        VerificationError: any entry is missing, changed, renamed, added, or not a plain file.
    """
    present = {name: path for name, path in tree.files.items() if name != ENVELOPE}
    differences = dict(tree.faults)
    missing = set(subjects) - set(present) - set(differences)
    for name in sorted(missing & tree.folders):
        differences[name] = "a folder stands where a file was signed"
    added = set(present) - set(subjects) - set(differences)
    # Only to say "renamed" is an added file read at all.
    moved = {sha256_of(present[name]): name for name in sorted(added)} if missing else {}
    for name in sorted(missing - set(differences)):
        new = moved.get(subjects[name])
        differences[name] = f"renamed to {show(new)}" if new else "missing"
        added.discard(new or "")
    differences |= dict.fromkeys(added, "added after signing")
    for name in sorted(set(subjects) & set(present) - set(differences)):
        if sha256_of(present[name]) != subjects[name]:
            differences[name] = "changed after signing"
    if named := sorted(differences):
        raise VerificationError(
            f"the folder is not what was signed; differing entries: {len(named)}",
            expected=f"exactly the {len(subjects)} signed files, as they were signed",
            found="\n    ".join(f"{show(name)}: {differences[name]}" for name in named),
            remedy="get the result again; if you changed it yourself, ./run.sh sign anew",
        )


def describe(verification: Verification) -> str:
    """Return a short text for people; it ends with what a signature does not prove."""
    lines = [f"ok  {message}" for message in verification.messages]
    lines.append(f"    {len(verification.systems)} systems were evaluated")
    lines.append(f"    key: sha256 {verification.fingerprint}")
    return "\n".join([*lines, NOT_PROVEN])


def _held(results: Path, name: str, statement: Statement) -> bytes:
    """Read a signed file once more, and use exactly the bytes that were checked."""
    if name not in statement.subjects:
        raise VerificationError(
            f"the signed result has no {name}, so that its numbers cannot be recomputed",
            remedy="finish the run, then ./run.sh sign",
        )
    data = read_bytes(results / name, max_bytes=MAX_FILE_BYTES)
    if sha256_bytes(data) != statement.subjects[name]:
        raise VerificationError(
            f"{name} changed while it was verified", remedy="stop what writes to it; verify again"
        )
    return data


def _compare_sums(sums: bytes, subjects: Mapping[str, str]) -> None:
    listed = {name: digest for name, digest in subjects.items() if name != SUMS}
    if sums != format_checksums(listed).encode():
        raise VerificationError(
            f"{SUMS} and the signed statement list different files",
            expected="one line for each signed file, in path order",
            remedy="do not use this result: a reader of each would check another list",
        )


def _compare_predicate(run: Mapping[str, object], statement: Statement) -> None:
    try:
        follows = predicate(run)
    except ValueError as error:
        raise VerificationError(
            f"{RUN} does not say what was run", found=error, remedy="finish the run, sign again"
        ) from None
    if canonical_json(follows) != canonical_json(statement.predicate):
        raise VerificationError(
            f"the signed statement says something else than {RUN}",
            expected=follows,
            found=statement.predicate,
            remedy="do not use this result; ask the signer how it came to be",
        )
