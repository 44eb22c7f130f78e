"""The checks of `verify`, in order: what costs little comes first. `CHECKS` is the whole list.

Nothing in a result is interpreted before a trusted key has signed for its bytes. No check needs a
network, a model or torch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from kit.names import show
from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    BUNDLE,
    CLAIMS,
    ENVELOPE,
    INPUTS,
    PICTURES,
    RECORDS,
    REPORT,
    SETS,
    SSH_SIGNATURE,
    SUMS,
    TEST_RESULT,
)
from kit.result.sizes import require_small_report
from kit.result.stored import OPTIONAL_TABLES, parse_result
from kit.result.tree import compare_tree, walk
from kit.verdicts.claims_file import count
from kit.verification import numbers, pages, recompute
from kit.verification.adapters import check_adapters
from kit.verification.attacked import require_attacks
from kit.verification.case import NOT_CHECKED, Case, Finding
from kit.verification.choice import check_choice
from kit.verification.guards import check_guards
from kit.verification.left_out import check_left_out
from kit.verification.metadata import metadata_files, require_metadata
from kit.verification.pictures import require_pictures
from kit.verification.planned import require_as_planned
from kit.verification.run_facts import facts_of
from kit.verification.signatures import read_signed
from kit.verification.sources import check_sources
from kit.verification.statements import require_agreement
from kit.verification.training import check_training
from kit.verification.tuning import check_tuning

Found = Iterable[str | Finding]  # a message of what holds, or a finding that says more


def _signature(case: Case) -> Found:
    case.signed = read_signed(
        case.results, case.trusted, case.identity, authorities=case.authorities, now=case.now
    )
    yield case.signed.describe()


def _files(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    compare_tree(walk(case.results), subjects)
    beside = f", beside {BUNDLE}, which was not checked" if case.signed.is_bundle_unchecked else ""
    yield f"{len(subjects)} files are exactly those that were signed{beside}"


def _statements(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    report = [name for name in subjects if name.startswith(REPORT)]
    require_small_report((case.results / name).stat().st_size for name in report)
    more = [name for name in (CLAIMS, ATTACKED, PICTURES, *OPTIONAL_TABLES) if name in subjects]
    case.held = {name: case.read(name) for name in (SUMS, *INPUTS, *more, *report)}
    require_agreement(case.signed, case.held)
    yield f"{ENVELOPE}, {TEST_RESULT} and {SSH_SIGNATURE} are by one key and agree"


def _plan(case: Case) -> Found:
    case.stored = stored = parse_result(case.held)
    case.held = {}  # one form of a result in memory at a time
    case.planned = require_as_planned(stored, case.signed.statement.subjects)
    case.facts = facts_of(stored.run)
    lines = check_training(stored.manifest, case.facts, case.planned, stored.kit)
    records, sets = stored.tables[RECORDS], stored.tables[SETS]
    lines += check_choice(stored.manifest, stored.protocol, records, sets, stored.kit)
    yield f"{len(stored.systems)} systems were evaluated, all that the manifest names"
    if attacked := require_attacks(stored):
        yield f"{attacked} answers under attack are those of all attacks that the manifest names"
    yield from check_tuning(stored.run, records)
    yield from (Finding("plan", show(line), NOT_CHECKED) for line in lines)


def _sources(case: Case) -> Found:
    stored = case.stored
    compared, lines = check_sources(stored.manifest, case.facts, stored.tables[RECORDS])
    if compared:
        yield f"the checksum lists of {compared} sources are those of this project"
    yield from check_left_out(case.facts.left_out, stored.tables[RECORDS])
    require_pictures(stored)
    yield from (Finding("sources", show(line), NOT_CHECKED) for line in lines)


def _guards(case: Case) -> Found:
    stored, facts = case.stored, case.facts
    answers = stored.tables[ANSWERS]
    lines = check_guards(stored.manifest, facts, stored.systems, answers, stored.kit)
    if facts.guards.canary:
        yield (
            f"run.json states an effect of {len(facts.guards.canary)} systems' adapters, and "
            f"{facts.guards.agreement.sample} answers that were read again"
        )
    yield from (Finding("guards", show(line), NOT_CHECKED) for line in lines)


def _adapters(case: Case) -> Found:
    stored, subjects = case.stored, case.signed.statement.subjects
    read, lines = check_adapters(
        case.results, stored.manifest, stored.claims, case.facts, case.planned, subjects, stored.kit
    )
    if read:
        yield f"{read} adapters have the form that the manifest asks for, and no two are equal"
    yield from (Finding("adapters", show(line), NOT_CHECKED) for line in lines)


def _rows(case: Case) -> Found:
    case.found = recompute.rescore(case.stored)
    recompute.require_rows(case.found)
    rows = recompute.count_checked_rows(case.found)
    yield f"{rows} rows recomputed from the stored answers are equal to the stored ones"
    for line in recompute.unchecked_numbers(case.found):
        yield Finding("rows", line, NOT_CHECKED)


def _claims(case: Case) -> Found:
    recompute.require_verdicts(case.found)
    verdicts = [v for v in case.found.verdicts if v.claim.metric not in case.found.retired]
    said = f"{len(verdicts)} claims follow from them: {count(verdicts)}"
    yield said if verdicts else "the manifest claims nothing"


def _numbers(case: Case) -> Found:
    case.contents = pages.contents_of(case.found)
    files = numbers.require_numbers(case.contents, case.stored.report, case.found.retired)
    if not case.keep:
        # Answers and values take more memory than all that is still needed.
        del case.found
        case.stored = replace(case.stored, tables={})
    yield f"the numbers in report.json and {files - 1} CSV files are what follows from them"


def _pages(case: Case) -> Found:
    if not pages.is_rendered_here(case.stored.kit):
        yield Finding("pages", pages.not_remade(case.stored.kit), NOT_CHECKED)
        return
    pages.require_pages(case.contents, case.stored.report)
    yield f"the {len(case.stored.report)} files of the report are what follows from them"


def _metadata(case: Case) -> Found:
    subjects = case.signed.statement.subjects
    held = {name: case.read(name) for name in metadata_files(subjects)}
    whole = pages.is_rendered_here(case.stored.kit)
    require_metadata(
        case.stored.run, case.planned, held, subjects, rows=case.stored.rows, whole=whole
    )
    said = "say what run.json and these say" if whole else "agree with run.json and signed digests"
    yield f"RO-Crate, SBOM and model cards, {len(held)} files, {said}"


@dataclass(frozen=True)
class Check:
    """One check of `verify`: what it proves if it passes, and what it leaves open."""

    name: str
    function: Callable[[Case], Found]
    proves: str
    does_not_prove: str


CHECKS = (
    Check(
        "signature", _signature,
        "A key or identity that you trust has signed the statement about this result.",
        "Who holds the key, or that it was not stolen.",
    ),
    Check(
        "files", _files,
        "The folder holds exactly the signed files: none is changed, missing, renamed or added.",
        "That the files say something true.",
    ),
    Check(
        "statements", _statements,
        "The three signatures are by one key and list the same files; what they say is what "
        "run.json and claims.json say.",
        "When the result was signed.",
    ),
    Check(
        "plan", _plan,
        "Systems, sources, jobs and files are those that the manifest in run.json implies, with "
        "the steps that it asks for; nothing it names was left out, no attack either. Columns are "
        "no larger than it allows, and the same for all targets. Tuned methods have what follows "
        "from the attempts.",
        "That no other run was made and left out, or that the records of a column are those that "
        "the split draws from the data.",
    ),
    Check(
        "sources", _sources,
        "Each source has origin and licence as the manifest names them. If this project has the "
        "list that the manifest names, the digest in run.json is that list's, and every image of "
        "a record is listed. What was left out of the published tables is within the rule, and no "
        "record uses it. Thumbnails are of images that records name.",
        "Lists that this project does not have, and sources that are not locked: the output names "
        "them. What a thumbnail shows.",
    ),
    Check(
        "guards", _guards,
        "run.json states an effect of every adapter, and an agreement of the two implementations "
        "as the manifest demands it.",
        "That these values were measured.",
    ),
    Check(
        "adapters", _adapters,
        "The result holds exactly the adapters that the manifest keeps: float32 LoRA weights of "
        "its rank and modules (safetensors, all numbers finite), its settings, one line of losses "
        "for each step, and no two adapters alike.",
        "That the adapters were trained as stated, or that the answers are theirs.",
    ),
    Check(
        "rows", _rows,
        "Every row of rows.parquet follows from the stored answers, by the version of the metric "
        "that the row names.",
        "That the answers came from running the kit, or that questions and right answers are the "
        "benchmark's.",
    ),
    Check(
        "claims", _claims,
        "Every verdict follows from the answers, by the version of the rule that claims.json "
        "names.",
        "That the claims are those you have in mind: --claims MANIFEST compares them.",
    ),
    Check(
        "numbers", _numbers,
        "Every number in report.json and in the CSV files follows from the answers and run.json.",
        "The wording of sentences there.",
    ),
    Check(
        "pages", _pages,
        "HTML, Markdown and figure of the report are, byte for byte, what this kit renders from "
        "the verified numbers.",
        "Anything about pages that another renderer made: they are not compared, and the output "
        "says so.",
    ),
    Check(
        "metadata", _metadata,
        "Each model card says what run.json says of its job, the SBOM lists its packages, and the "
        "RO-Crate gives each file its signed digest. Where this kit rendered the result, they are "
        "compared byte for byte.",
        "Licences and hashes of packages in the SBOM. In cards that another renderer wrote, the "
        "words and the values of the model-index.",
    ),
)  # fmt: skip
