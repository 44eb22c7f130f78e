"""A board: many results of one manifest, each verified and then compared with one reference.

A result that does not verify is named with the reason, and none of its numbers is used. The board
is about the manifest of the first result that verifies and claims what the reference claims, with
whatever limits and further claims. The same files count once, in whatever folder they are and
no matter who signed them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kit.comparison.claims import compare_claims
from kit.comparison.compare import Comparison
from kit.comparison.copies import Said, shared
from kit.comparison.differences import changed_claims
from kit.comparison.trust import Trust
from kit.console import say
from kit.errors import EnvironmentFault, KitError, VerificationError
from kit.names import listed, show
from kit.result.layout import ANSWERS
from kit.result.made_by import kit_of, machine_of
from kit.signing.trust import GIVEN, RUNNER
from kit.verdicts.outcome import Verdict
from kit.verification.case import NOT_CHECKED, Kept, Verification
from kit.verification.memory_limit import guarded
from kit.verification.recompute import Recomputed
from kit.verification.signatures import IDENTITY, WORKFLOW
from kit.verification.text import not_proven

# Keys of a claim that say what is enough. The reference's decide, as in `compare`.
LIMITS = ("equivalence", "margin", "at_least", "at_most")
REFUSED, OTHER, COUNTED = "does not verify", "of another manifest", "counted already"


@dataclass(frozen=True)
class Shown:
    """A verified result: who signed it, what it states of its making, and what was found.

    `verdicts` are the result's own, by claim. `unchecked` are the lines of `verify` about what was
    not checked. `equal_to` names an earlier result, or the reference, with the same answers or all
    but a few, and `shared` says how many are the same.
    """

    name: str
    signer: str
    key: str
    by_identity: bool
    not_proven: str
    machine: str
    kit: str
    written: str
    verdicts: Mapping[str, Verdict]
    unchecked: tuple[str, ...]
    comparison: Comparison
    equal_to: str = ""
    shared: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A folder whose numbers are not used: `kind` is REFUSED, OTHER or COUNTED."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Board:
    """The results of one manifest, in the order in which they were given."""

    run_name: str
    title: str
    manifest_digest: str
    reference: Shown
    results: tuple[Shown, ...]
    left_out: tuple[LeftOut, ...]


def make_board(given: Mapping[str, Path], reference: tuple[str, Path], trust: Trust) -> Board:
    """Verify the reference and the results, and compare each result with it.

    Args:
        given: the folders of the results, by name.
        reference: its name and its folder.
        trust: whose signatures count.

    Raises:
        EnvironmentFault: this environment cannot check a signature.
        KitError: the reference does not verify.
        VerificationError: the reference claims nothing, or there is no result that could be
            compared with it.
    """
    say(f"checking the reference {show(reference[0])}")
    goal = _check_reference(*reference, trust)
    goal_kept, goal_found = _kept(goal)
    if not goal.claims:
        raise VerificationError(
            f"the reference {show(reference[0])} makes no claims, so no result can reproduce one",
            expected="a result whose manifest has claims",
            found="none",
            remedy="name another --reference, such as manifests/reference/smoke",
        )
    same = {_files(goal_kept): "the reference itself"}
    said = {"the reference": Said.of(goal_kept.stored.tables[ANSWERS])}
    results: list[Shown] = []
    left_out: list[LeftOut] = []
    first: Verification | None = None
    for number, (name, folder) in enumerate(given.items(), 1):
        say(f"checking result {number} of {len(given)}, {show(name)}")
        try:
            with guarded(folder):
                found = trust.verify(folder)
                kept, recomputed = _kept(found)
                if before := same.get(_files(kept)):
                    reason = f"its files are those of {before}; it is signed by {_signer(found)}"
                    left_out.append(LeftOut(name, COUNTED, reason))
                    continue
                if reason := _other_manifest(found, goal, first):
                    left_out.append(LeftOut(name, OTHER, reason))
                    continue
                claims = compare_claims(recomputed, goal_found, goal_kept.stored.seed)
        except EnvironmentFault:
            raise
        except KitError as error:
            left_out.append(LeftOut(name, REFUSED, _reason(error, name, folder)))
            continue
        first = first or found
        same[_files(kept)] = name
        own = Said.of(kept.stored.tables[ANSWERS])
        equal_to, alike = _nearest(own, said)
        said[name] = own
        shown = _shown(name, found, Comparison([], claims))
        results.append(replace(shown, equal_to=equal_to, shared=alike))
    if first is None:
        raise _nothing_left(left_out)
    title = str(first.manifest.get("title") or first.manifest.get("name"))
    return Board(
        first.run_name, title, first.manifest_digest,
        _shown(reference[0], goal, Comparison([], [])), tuple(results), tuple(left_out),
    )  # fmt: skip


def _nearest(own: Said, earlier: Mapping[str, Said]) -> tuple[str, str]:
    """Return which result has these answers, all but a few, and how many; "" where none has."""
    found = {name: shared(own, other) for name, other in earlier.items()}
    name = max(found, key=lambda each: found[each].equal)
    return (name, str(found[name])) if found[name].is_copy else ("", "")


def _check_reference(name: str, folder: Path, trust: Trust) -> Verification:
    try:
        with guarded(folder):
            return trust.verify(folder)
    except EnvironmentFault:
        raise
    except KitError as error:
        raise type(error)(
            f"the reference {show(name)} does not verify: {error.what}",
            expected=error.expected, found=error.found, remedy=error.remedy,
        ) from error  # fmt: skip


def _other_manifest(found: Verification, goal: Verification, first: Verification | None) -> str:
    """Return why a verified result is not about the manifest of this board; "" if it is."""
    if not found.claims:
        return f"it was made from {found.run_name}, which makes no claims"
    if first is not None:
        if found.manifest_digest == first.manifest_digest:
            return ""
        return f"it was made from {found.run_name}, and this page is about {first.run_name}"
    there = {claim.id: claim for claim in goal.claims}
    here = {claim.id: claim for claim in found.claims if claim.id in there}
    for difference in changed_claims(here, there):
        if difference.matters and difference.what.rpartition(".")[2] not in LIMITS:
            return (
                f"it was made from {found.run_name}, which does not claim what the reference claims"
            )
    return ""


def _shown(name: str, found: Verification, comparison: Comparison) -> Shown:
    kept, recomputed = _kept(found)
    return Shown(
        name=name,
        signer=_signer(found),
        key=found.fingerprint,
        by_identity=found.role in (IDENTITY, WORKFLOW),
        not_proven=not_proven(found),
        machine=machine_of(kept.stored.run),
        kit=str(kit_of(kept.stored.run)),
        written=str(kept.stored.run.get("written", "")),
        verdicts={verdict.claim.id: verdict for verdict in recomputed.verdicts},
        unchecked=tuple(f.message for f in found.findings if f.outcome == NOT_CHECKED),
        comparison=comparison,
    )


def _signer(found: Verification) -> str:
    """Return who signed, without the folders of the reader's machine."""
    if found.role in (IDENTITY, WORKFLOW):
        return found.source
    if found.role == RUNNER:
        return "the key of the machine that made this page"
    if found.role == GIVEN:
        return f"a key given as {Path(found.source).name}"
    return f"{found.role} ({found.source})"


def _kept(found: Verification) -> tuple[Kept, Recomputed]:
    assert found.kept is not None, "verify(keep=True)"
    assert found.kept.recomputed is not None, "the strict policy"
    return found.kept, found.kept.recomputed


def _files(kept: Kept) -> frozenset[tuple[str, str]]:
    return frozenset(kept.digests.items())


def _reason(error: KitError, name: str, folder: Path) -> str:
    """Return why a result is refused, in one line: what is wrong, and what was found.

    The page is for others, so the result has its name there, and not its folder.
    """
    found = f"; found: {error.found}" if error.found is not None else ""
    return " ".join(f"{error.what}{found}".split()).replace(str(folder), name)


def _nothing_left(left_out: list[LeftOut]) -> VerificationError:
    keys = "name the keys of the signers (--trust FILE, once for each), or another --reference; "
    keys += "./run.sh verify RESULT explains a refusal"
    refused = any(each.kind == REFUSED for each in left_out)
    return VerificationError(
        "no result can be compared with the reference",
        expected="at least one that verifies and makes the claims of the reference",
        found=listed([show(f"{each.name}: {each.kind}: {each.reason}") for each in left_out]),
        remedy=keys
        if refused
        else "name a result of another run, such as that of ./run.sh all, or another --reference",
    )
