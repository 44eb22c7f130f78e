"""The predicate is documented field by field, and a signed result is what its schema says."""

import json
import tracemalloc

import jsonschema
import pytest

from kit.artifacts import PROJECT
from kit.errors import VerificationError
from kit.signing.predicate import PREDICATE_TYPE, Outcome, predicate, schema
from kit.verdicts.judging import Outcome as Verdict
from tests.toys.signed_result import rejects, reseal, statement_of

FOLDER = PROJECT / "kit" / "schemas"
SCHEMA = FOLDER / "results-v2.schema.json"
DOCUMENT = (FOLDER / "results-v2.md").read_text(encoding="utf-8")
REMEDY = "write it again: json.dumps(kit.signing.predicate.schema(), indent=1)"


def test_the_committed_schema_is_that_of_the_code():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), REMEDY


def test_a_signed_result_validates(signed):
    said = statement_of(signed)["predicate"]
    committed = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(committed)
    jsonschema.validate(said, committed, cls=jsonschema.Draft202012Validator)
    assert len(said["claims"]) == 4
    for change in ({"claims": None}, {"note": 1}, {"systems": [7]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(said | change, committed)


def rows(part, definitions, place="predicate"):
    """Yield one line of the document for each field below `part`."""
    for name, field in part["properties"].items():
        target = definitions.get(field.get("items", field).get("$ref", "").rpartition("/")[2])
        here = f"{place}.{name}{'[]' if field.get('type') == 'array' else ''}"
        yield f"| `{here}` | {kind(field)} | {field['description']} |"
        if target is not None:
            yield from rows(target, definitions, here)


def kind(field):
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(kind(each) for each in field["anyOf"]))
    if "enum" in field:
        return "one of " + ", ".join(field["enum"])
    if field.get("type") == "array":
        return f"list of {kind(field['items'])}s"
    return "object" if "$ref" in field else field["type"]


def test_the_document_names_every_field_with_its_type_and_meaning_and_no_other():
    lines = [line for line in DOCUMENT.splitlines() if line.startswith("| `predicate.")]
    assert lines == list(rows(schema(), schema()["$defs"]))
    assert PREDICATE_TYPE in DOCUMENT


def test_the_verdicts_of_the_schema_are_those_of_the_code():
    assert set(Outcome.__args__) == {str(outcome) for outcome in Verdict}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda said: said["claims"].pop(1), r"predicate.claims is a list of 3: 'C1', 'C3', 'C4'"),
        (lambda said: said["claims"][0].update(verdict="REPRODUCED"),
         r"claims\[0\].verdict is 'REPRODUCED', but 'INCONCLUSIVE' follows"),
        (lambda said: said["claims"][1].update(margin=0.0), r"claims\[1\].margin is 0.0, but 0.1"),
        (lambda said: said["claims"][1].update(value=0.9), r"claims\[1\].value is 0.9"),
        (lambda said: said["claims"][0].update(n=400), r"claims\[0\].n is 400, but 2 follows"),
        (lambda said: said["claims"].reverse(), r"claims\[0\].id is 'C4', but 'C1' follows"),
        (lambda said: said.update(claims=[]), "predicate.claims is a list of 0"),
        (lambda said: said.update(judge="x"), "predicate.judge is 'x', but absent follows"),
        (lambda said: said["sources"][0].update(locked=1), "locked is 1, but True follows"),
        (lambda said: said["claims"][3].pop("high"), r"claims\[3\].high is absent, but None"),
        (lambda said: said.pop("claims"), "predicate.claims is absent"),
    ],
)  # fmt: skip
def test_a_predicate_that_says_something_else_is_refused_with_the_place(damaged, change, reason):
    statement = statement_of(damaged)
    change(statement["predicate"])
    reseal(damaged, statement)
    rejects(damaged, VerificationError, f"differs from run.json(.|\n)*{reason}")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (b"{", "claims.json: "),
        (b'{"claims": 7}', "claims.json: claims: "),
        (b'{"claims": [{"id": "C1"}]}', r"claims.json: claims.0.verdict: Field required"),
    ],
)
def test_a_claims_json_that_says_nothing_is_named(signed, claims, reason):
    run = json.loads((signed / "run.json").read_bytes())
    with pytest.raises(ValueError, match=reason):
        predicate(run, claims)


def test_a_claims_json_of_many_faults_costs_no_more_than_one(signed):
    run = json.loads((signed / "run.json").read_bytes())
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"claims.json: claims.0.id: Field required"):
        predicate(run, b'{"claims": [' + b"{}," * 20_000 + b"{}]}")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20 << 20
