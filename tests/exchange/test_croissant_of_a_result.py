"""Croissant of a result: mlcroissant reads the tables back, and only RAI's own names are used."""

import json
from dataclasses import fields as dataclass_fields

import mlcroissant
import pytest

from kit.artifacts import PROJECT
from kit.describe.rai import MANY, ONE, RAI, data_fields, rai_fields
from kit.exchange.columns import COLUMNS
from kit.exchange.forms import write_form
from kit.result.layout import ANSWERS


@pytest.fixture(scope="module", params=["plain", "hostile"])
def written(request, tmp_path_factory):
    """The result, and the folder of its export."""
    exported = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("croissant") / request.param
    write_form(exported, "croissant", folder)
    return exported, folder


def test_every_answer_is_read_back(written):
    exported, folder = written
    found = mlcroissant.Dataset(str(folder / "croissant.json"))
    rows = list(found.records(f"{ANSWERS}#rows"))
    stored = exported.stored.tables[ANSWERS].to_dict("records")
    for column in COLUMNS["answers"]:
        read = [row[f"{ANSWERS}#rows/{column}"] for row in rows]
        texts = [each.decode() if isinstance(each, bytes) else each for each in read]
        assert texts == [row[column] for row in stored], column


def test_every_column_is_described(written):
    _, folder = written
    document = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    said = {
        each["name"]: {f["name"]: f["description"] for f in each["field"]}
        for each in document["recordSet"]
    }
    assert set(said) == {"records", "sets", "answers", "likelihoods", "rows"}
    # The toy has no candidates, and wrote lists of no type; those of a run are lists of texts.
    assert said["records"].items() == COLUMNS["records"].items() - {
        ("candidates", COLUMNS["records"]["candidates"])
    }
    for table in said.keys() - {"records"}:
        assert said[table] == COLUMNS[table]


def test_the_files_have_the_digests_that_were_signed(written):
    exported, folder = written
    document = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    for each in document["distribution"]:
        assert each["sha256"] == exported.digests[each["contentUrl"]]
        assert (folder / each["contentUrl"]).read_bytes() == (
            exported.folder / each["contentUrl"]
        ).read_bytes()


def test_rai_fields_keep_their_types_in_mlcroissant(written):
    exported, folder = written
    found = mlcroissant.Dataset(str(folder / "croissant.json")).metadata
    assert RAI in json.loads((folder / "croissant.json").read_text())["conformsTo"]
    assert found.personal_sensitive_information == [
        "tiny: none. Its people are invented, and code drew their pictures."
    ]
    assert found.data_limitations == list(exported.stored.protocol.comparability)


def test_the_list_of_rai_names_is_that_of_mlcroissant():
    known = {each.name for each in dataclass_fields(mlcroissant.Metadata)}
    for name in ONE | MANY:
        attribute = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        assert attribute in known, name


@pytest.mark.parametrize(
    ("name", "value"), [("nonsense", "x"), ("dataBiases", "one text"), ("dataCollection", ["two"])]
)
def test_another_name_or_shape_is_refused(name, value):
    with pytest.raises(ValueError, match="not a field of Croissant RAI"):
        rai_fields(**{name: value})


def test_of_data_that_the_kit_did_not_draw_nothing_is_made_up(plain):
    said = data_fields([{"name": "far", "embedded": None}], plain.stored.protocol)
    assert "rai:dataBiases" not in said
    assert "publisher says which are real" in said["rai:personalSensitiveInformation"][0]


def test_the_data_s_own_document_has_rai_fields_too(tmp_path):
    from kit.describe.croissant import croissant, validate
    from kit.experiment.manifest_file import load_manifest

    made = load_manifest(PROJECT / "manifests" / "smoke.toml", calibrated=False)
    source = made.sources[0].model_copy(update={"checksums": "checksums/smoke-base.sha256"})
    document = croissant(made.model_copy(update={"sources": (source,)}), {})
    assert validate(document)[0] == "validated by mlcroissant: no errors"
    assert document["rai:dataCollection"].startswith("pebench: drawn by the kit's code")
