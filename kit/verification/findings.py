"""What each check of `verify` finds that reads tables; `FUNCTIONS` has all checks, in order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from kit.names import show
from kit.result.layout import (
    ANSWERS,
    JUDGED,
    LIKELIHOODS,
    READ_BY_VANILLA,
    RECORDS,
    SETS,
)
from kit.result.made_by import Kit
from kit.result.stored import parse_result
from kit.verdicts.claims_file import count
from kit.verification import numbers, pages, recompute
from kit.verification.adapters import check_adapters
from kit.verification.answer_form import require_possible
from kit.verification.attacked import require_attacks
from kit.verification.case import NOT_CHECKED, Case, Finding
from kit.verification.choice import check_choice
from kit.verification.guards import check_guards
from kit.verification.integrity import INTEGRITY, Found
from kit.verification.known_files import file_lines
from kit.verification.left_out import check_left_out
from kit.verification.machines import machine_lines
from kit.verification.metadata import metadata_files, require_metadata
from kit.verification.pictures import require_pictures
from kit.verification.planned import require_as_planned
from kit.verification.readings import require_same_readings
from kit.verification.run_facts import facts_of
from kit.verification.same_answers import same_answer_lines, same_likelihood_lines
from kit.verification.sources import check_sources
from kit.verification.stated import (
    later_line,
    require_own_versions,
    require_plain_texts,
    require_valid_manifest,
)
from kit.verification.stated_costs import check_costs
from kit.verification.stated_version import require_fitting_version
from kit.verification.token_tables import require_tokens_agree
from kit.verification.training import check_training
from kit.verification.tuning import check_tuning, require_own_tuning


def of_plan(case: Case) -> Found:
    case.stored = stored = parse_result(case.held)
    case.held = {}  # one form of a result in memory at a time
    require_plain_texts(stored.run)
    case.planned = require_as_planned(stored, case.signed.statement.subjects)
    case.facts = facts_of(stored.run)
    lines = [*later_line(stored.kit)]
    require_fitting_version(stored)
    lines += check_training(stored.manifest, case.facts, case.planned, stored.kit)
    check_costs(stored.manifest, case.facts, case.planned, stored.kit)
    records, sets = stored.tables[RECORDS], stored.tables[SETS]
    lines += check_choice(stored.manifest, stored.protocol, records, sets, stored.kit)
    require_valid_manifest(stored)
    require_own_versions(stored)
    lines += file_lines(stored.manifest, case.facts, case.planned)
    lines += machine_lines(case.facts, case.now or datetime.now(UTC))
    yield f"{len(stored.systems)} systems were evaluated, all that the manifest names"
    if commit := case.signed.signer.commit:
        yield _at_commit(commit, stored.kit)
    attacked, unknown = require_attacks(stored, case.facts)
    lines += unknown
    if attacked:
        yield f"{attacked} answers under attack are those of all attacks that the manifest names"
    yield from check_tuning(stored.run, records)
    lines += require_own_tuning(stored.run, stored.kit)
    yield from (Finding("plan", show(line), NOT_CHECKED) for line in lines)


def _at_commit(commit: str, kit: Kit) -> str | Finding:
    """Compare the commit that a workflow ran at with that of the kit in run.json."""
    if kit.revision == commit:
        return "the kit is of the commit that the workflow ran at"
    said = f"the workflow ran at commit {commit}, and run.json says that the kit is {kit}"
    return Finding("plan", show(said), NOT_CHECKED)


def of_sources(case: Case) -> Found:
    stored = case.stored
    compared, lines = check_sources(stored.manifest, case.facts, stored.tables[RECORDS])
    if compared:
        yield f"the checksum lists of {compared} sources are those of this project"
    yield from check_left_out(case.facts.left_out, stored.tables[RECORDS])
    require_pictures(stored)
    yield from (Finding("sources", show(line), NOT_CHECKED) for line in lines)


def of_guards(case: Case) -> Found:
    stored, facts = case.stored, case.facts
    answers = stored.tables[ANSWERS]
    lines = check_guards(stored.manifest, facts, stored.systems, answers, stored.kit)
    lines += same_answer_lines(answers, stored.systems)
    lines += same_likelihood_lines(stored.tables[LIKELIHOODS], stored.systems)
    if facts.guards.canary:
        yield (
            f"run.json states that the adapters of {len(facts.guards.canary)} systems take effect, "
            f"and that {facts.guards.agreement.sample} answers were cross-checked"
        )
    yield from (Finding("guards", show(line), NOT_CHECKED) for line in lines)


def of_adapters(case: Case) -> Found:
    stored, subjects = case.stored, case.signed.statement.subjects
    read, full, alone, lines = check_adapters(
        case.results, stored.manifest, stored.claims, case.facts, case.planned, subjects, stored.kit
    )
    if read:
        updates = f", {full} of them full updates," if full else ""
        yield f"{read} adapters{updates} have the form that the manifest requires, and all differ"
    if alone:
        compared = ", all in layers that adapters change" if read else ""
        yield f"lists of removed neurons without an adapter: {alone}{compared}"
    yield from (Finding("adapters", show(line), NOT_CHECKED) for line in lines)


def of_rows(case: Case) -> Found:
    case.found = recompute.rescore(case.stored)
    recompute.require_rows(case.found)
    tables, manifest = case.stored.tables, case.stored.manifest
    require_possible(tables, _key(manifest, "evaluation", "max_new_tokens"))
    require_tokens_agree(tables)
    dtypes = {
        READ_BY_VANILLA: str(_key(manifest, "model", "compute_dtype")),
        JUDGED: str(_key(manifest, "judge", "compute_dtype")),
    }
    require_same_readings(tables, dtypes)
    rows = recompute.count_checked_rows(case.found)
    yield f"{rows} rows recomputed from the stored answers are equal to the stored ones"
    for line in recompute.unchecked_numbers(case.found):
        yield Finding("rows", line, NOT_CHECKED)


def _key(manifest: Mapping[str, object], section: str, name: str) -> object:
    """Return a key of a section of a manifest, None where either is missing."""
    found = manifest.get(section)
    return found.get(name) if isinstance(found, dict) else None


def of_claims(case: Case) -> Found:
    recompute.require_verdicts(case.found)
    verdicts = [v for v in case.found.verdicts if v.claim.metric not in case.found.retired]
    said = f"{len(verdicts)} claims follow from them: {count(verdicts)}"
    yield said if verdicts else "the manifest claims nothing"


def of_numbers(case: Case) -> Found:
    case.contents = pages.contents_of(case.found)
    stored = case.stored
    files = numbers.require_numbers(case.contents, stored.report, stored.kit, case.found.retired)
    if not case.keep:
        # Answers and values take more memory than all that is still needed.
        del case.found
        case.stored = replace(case.stored, tables={})
    yield f"the numbers in report.json and {files - 1} CSV files follow from them"


def of_pages(case: Case) -> Found:
    if not pages.is_rendered_here(case.stored.kit):
        said = pages.not_remade(case.stored.kit, case.stored.report)
        yield Finding("pages", said, NOT_CHECKED)
        return
    pages.require_pages(case.contents, case.stored.report)
    yield f"the {len(case.stored.report)} files of the report follow from them, byte for byte"


def of_metadata(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    held = {name: case.read(name) for name in metadata_files(subjects)}
    whole = pages.is_rendered_here(case.stored.kit)
    require_metadata(
        case.stored.run, case.planned, held, subjects, rows=case.stored.rows, whole=whole
    )
    said = "run.json and the report" if whole else "run.json and the signed digests"
    yield f"RO-Crate, SBOM and model cards ({len(held)} files) agree with {said}"


# By the names of `kit.verification.checks.CHECKS`, and in their order.
FUNCTIONS = {
    **INTEGRITY,
    "plan": of_plan,
    "sources": of_sources,
    "guards": of_guards,
    "adapters": of_adapters,
    "rows": of_rows,
    "claims": of_claims,
    "numbers": of_numbers,
    "pages": of_pages,
    "metadata": of_metadata,
}
