"""Everything that a report contains, as plain values: report.json holds them, pages print them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.errors import MissingStageError
from kit.metrics.attacked import with_attacks
from kit.metrics.eligibility import Eligibility, assess_eligibility
from kit.metrics.intervals import Intervals
from kit.metrics.rows import Measured, measure, read_inputs, read_parquet
from kit.report.attacks import attack_facts, attack_glance
from kit.report.browser.packing import packed_answers
from kit.report.browser.shown import Shown, Stored, marks_of, pictures_of
from kit.report.comparability import comparability
from kit.report.costs import method_costs, stage_costs
from kit.report.damage import RULES
from kit.report.distances import distance_table
from kit.report.evidence import with_evidence
from kit.report.facts import Facts, column_facts, definition_facts, source_facts
from kit.report.further import further_tables, used_system_metrics
from kit.report.glance import asked, glance, verdict_counts
from kit.report.health import answer_health
from kit.report.method_panels import MethodPanel, method_panels
from kit.report.owners import OwnerTable, owner_tables
from kit.report.rules import attack_rule, damage_rule
from kit.report.run_types import as_run
from kit.report.samples import samples
from kit.report.tables import Table, make_tables, part_titles
from kit.report.tuning import tuning_facts, validation_warning
from kit.report.whole import whole_numbers
from kit.result.layout import ATTACKED, CLAIMS, PICTURES, REPORT, ROWS, RUN
from kit.result.losses import curves_of, loss_files
from kit.result.made_by import kit_of
from kit.result.run_file import versions_of
from kit.result.run_protocol import protocol_of
from kit.result.strict_json import parse_json
from kit.result.tables import ROW_TYPES

# Of report.json. It rises whenever an equal result could get other numbers or another structure;
# sentences may change freely. `kit.verification.numbers` reads every schema that was ever signed.
FIRST_SCHEMA = "pebench-kit/report/1"
REPEATED_LINES = "pebench-kit/report/2"  # `kit.report.whole_csv` has its table of whole models
SCHEMA = "pebench-kit/report/3"
SCHEMAS = (FIRST_SCHEMA, REPEATED_LINES, SCHEMA)


@dataclass(frozen=True)
class Contents:
    """What the templates print; `rows` are the metric rows that the tables rest on.

    `schema` is that of report.json: a stored report is made again in its own. The rest is on pages
    alone: `asked` are the sentences about the question, `people` what is known of each person or
    event, `panels` what is to be said of each method, and `answers` the packed table of the answer
    browser (`kit.report.browser`).
    """

    schema: str
    intervals: Intervals
    protocol: Protocol
    tables: list[Table]
    distances: list[Table]
    facts: Facts
    rows: pd.DataFrame
    asked: list[str]
    people: list[OwnerTable]
    panels: list[MethodPanel]
    answers: str
    attack_rule: int

    def as_json(self) -> dict[str, object]:
        """Return report.json, with values as stored rather than as printed."""
        tables = [*self.tables, *self.distances]
        return {
            "schema": self.schema,
            "tables": {table.name: [line.as_json() for line in table.lines] for table in tables},
            **self.facts,
        }


def read_contents(results: Path) -> Contents:
    """Return the contents of a report from a result folder that the kit has just written.

    Raises:
        MissingStageError: run.json, the answers or the rows do not exist.
        DataError: the answers do not fit the records and sets.
    """
    inputs = read_inputs(results)
    if not (results / ROWS).is_file():
        raise MissingStageError(
            f"{results / ROWS} does not exist",
            expected="a result with its rows",
            found="a folder without them",
            remedy="run `./run.sh evaluate MANIFEST` first",
        )
    rows = read_parquet(results / ROWS).astype(ROW_TYPES)
    run = json.loads((results / RUN).read_text(encoding="utf-8"))
    claims = results / CLAIMS
    entries = json.loads(claims.read_text(encoding="utf-8"))["claims"] if claims.is_file() else []
    protocol = protocol_of(run)
    measured = measure(**inputs, protocol=protocol)
    attacked = read_parquet(results / ATTACKED) if (results / ATTACKED).is_file() else None
    measured = with_attacks(measured, attacked)
    pictures = read_parquet(results / PICTURES) if (results / PICTURES).is_file() else None
    curves = curves_of({name: (results / name).read_bytes() for name in loss_files(results)})
    tables = Stored(inputs["records"], attacked, pictures_of(pictures), curves)
    return make_contents(run, protocol, rows, entries, measured, tables)


def make_contents(
    content: Mapping[str, object],
    protocol: Protocol,
    rows: pd.DataFrame,
    claims: Sequence[Mapping[str, object]],
    measured: Measured,
    stored: Stored,
    schema: str = SCHEMA,
) -> Contents:
    """Return the contents of a report.

    Args:
        content: the content of run.json.
        protocol: the protocol of its benchmark.
        rows: the metric rows, of the types of `ROW_TYPES`.
        claims: the entries of claims.json.
        measured: the answers that the rows follow from, with their values.
        stored: the tables and curves that pages show beside them.
        schema: one of `SCHEMAS`.
    """
    run, definitions = as_run(content), measured.scores.definitions
    manifest, systems, sets = run["manifest"], run["systems"], measured.groups
    first, families = schema == FIRST_SCHEMA, measured.further.families
    found = None if first else _eligibility(rows, protocol, measured)
    parts = None if found is None else {(e.target, e.part) for e in found if not e.reason}
    rule, of_attacks = damage_rule(content, first=first), attack_rule(content)
    tables = make_tables(rows, systems, protocol, definitions, parts, rule)
    settings = manifest["report"]
    intervals = Intervals(
        settings["bootstrap_draws"], settings["seed"], versions_of(content).interval
    )
    if not first:
        tables = [with_evidence(table, measured, intervals) for table in tables]
    distances = [
        distance_table(table, measured.scores, sets, systems, intervals) for table in tables
    ]
    whole = None if first else whole_numbers(tables, rows, measured)
    facts = Facts(
        kit_version=kit_of(content).version,
        title=manifest.get("title") or manifest["name"],
        manifest=manifest,
        manifest_digest=run["manifest_digest"],
        glance=[
            *validation_warning(run),
            *glance(tables, run.get("sources", []), found, whole),
            *verdict_counts(claims),
        ],
        claims=list(claims),
        columns=column_facts(rows, sets, intervals.few),
        definitions=definition_facts(
            rows, [*definitions.values(), *used_system_metrics(rows, families)]
        ),
        rule=RULES[rule],
        health=answer_health(rows, systems, tables),
        samples=samples(sets, measured.scores.records, measured.answers, systems),
        stages=stage_costs(run),
        methods=method_costs(run, systems, access=not first),
        guards=run.get("guards", {}),
        attempts=run.get("attempts", []),
        environment=run.get("environment", {}),
        systems=systems,
        jobs=run.get("jobs", []),
        sources=source_facts(run),
        comparability=comparability(manifest, protocol),
    )
    if run.get("left_out"):
        facts["left_out"] = run["left_out"]
    if measured.further.asked:
        facts["further"] = further_tables(rows, systems, measured.further)
    if (tuning := tuning_facts(run)) is not None:
        facts["tuning"] = tuning
    if found is not None and whole is not None:
        facts["eligibility"] = [asdict(each) for each in found]
        facts["whole"] = whole
    if measured.attacked is not None and "attack" in manifest:
        facts["attacks"] = attack_facts(measured, manifest, tables, intervals, of_attacks)
        facts["glance"] += attack_glance(facts["attacks"]["headlines"], part_titles(tables))
    listed = manifest["attack"]["entries"] if "attack" in manifest else []
    attacks = {each["name"]: each["label"] for each in listed}
    answers = packed_answers(Shown(measured, marks_of(tables, parts or (), rule), stored, attacks))
    people = owner_tables(measured)
    return Contents(
        schema, intervals, protocol, tables, distances, facts, rows,
        asked(tables, facts["columns"], protocol, len(systems), len(measured.answers)),
        people, method_panels(run, facts, tables, people, stored.losses), answers, of_attacks,
    )  # fmt: skip


def schema_of(run: Mapping[str, object], report: Mapping[str, bytes]) -> str:
    """Return the schema that the report of a stored result must have.

    It is what the report states, or the newest if that is none that this kit knows. A result that
    states its versions was made by a kit that no longer wrote the first schema.

    Args:
        run: the content of run.json.
        report: {path in the result: bytes} of everything under report/.
    """
    known = SCHEMAS[1:] if "versions" in run else SCHEMAS
    data = report.get(f"{REPORT}report.json", b"")
    try:
        content = parse_json(data, max_bytes=len(data))
    except ValueError:
        return SCHEMA
    stated = content.get("schema") if isinstance(content, dict) else None
    return str(stated) if stated in known else SCHEMA


def _eligibility(rows: pd.DataFrame, protocol: Protocol, measured: Measured) -> list[Eligibility]:
    """Return whether something can be forgotten, for each part that a table prints."""
    run = set(rows["target"])
    return [
        assess_eligibility(measured, target, part)
        for layout in protocol.tables
        for target in layout.targets
        if target in run
        for part in dict.fromkeys(
            part for part, c in protocol.targets[target].columns if c is Column.EFFICACY
        )
    ]
