"""Croissant: one entry per file, which gives the lists back; mlcroissant accepts it offline."""

import csv
import json
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.parquet import Place
from kit.describe import croissant as cr
from kit.digests import canonical_json, format_checksums, sha256_bytes
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from tests.toys.dataset import TOY

REVISION = "0123456789abcdef0123456789abcdef01234567"
ROWS = [["file", "name"], ["images/Ada Bäkker #1/00.png", "Ada, Bäkker"], ["b", "Ben"]]


def listed(folder, names):
    """Write a checksum list of `names` next to `folder`; return (its path, its entries)."""
    digests = {name: sha256_bytes(name.encode()) for name in names}
    path = folder.parent / f"{folder.name}.sha256"
    path.write_text(format_checksums(digests), encoding="utf-8")
    return path, digests


def manifest(*sources):
    document = load_manifest(TOY).resolved()
    document["sources"] = list(sources)
    return Manifest.model_validate(document)


@pytest.fixture
def local(tmp_path):
    """A folder with a CSV, and a list that also names images; (manifest, places, entries)."""
    folder = tmp_path / "toy"
    folder.mkdir()
    with (folder / "T+1.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(ROWS)
    path, entries = listed(
        folder, ["T+1.csv", "images/Ada Bäkker #1/00.png", "x%41.JPG", "LICENSE"]
    )
    # The CSV's digest is right: mlcroissant checks it when it reads rows.
    entries["T+1.csv"] = sha256_bytes((folder / "T+1.csv").read_bytes())
    path.write_text(format_checksums(entries), encoding="utf-8")
    made = manifest({"name": "toy", "folder": str(folder), "checksums": str(path)})
    return made, {"toy": Place(folder, tmp_path / "images")}, entries


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    path, entries = listed(folder, ["data/a b.bin", "README.md"])
    source = {
        "name": "far", "repo": "some/Data", "revision": REVISION, "checksums": str(path),
        "licence": "CC BY 4.0",
    }  # fmt: skip
    return source, Place(folder, tmp_path / "images"), entries


@pytest.fixture
def offline(monkeypatch):
    """No socket connects and no name is looked up."""

    def refuse(*args, **kwargs):
        raise AssertionError("something wants the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def file_of(document, name):
    return next(each for each in document["distribution"] if each["name"] == name)


def test_lists_to_croissant_and_back(local, hub):
    made, places, entries = local
    source, place, far = hub
    both = manifest(made.sources[0].model_dump(), source)
    document = cr.croissant(both, places | {"far": place})
    assert len(document["distribution"]) == 6
    written = json.loads(canonical_json(document))
    assert cr.checksum_lists(written) == {"toy": entries, "far": far}


SEGMENT = st.text(
    st.characters(exclude_characters="/\n\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)
NAMES = (
    st.lists(SEGMENT, min_size=1, max_size=3)
    .map(lambda parts: "/".join(part.strip(".") or "x" for part in parts) + ".bin")
    .filter(lambda name: name == name.strip())
)


@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_any_file_name_survives_the_way_there_and_back(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names") / "any"
    path, entries = listed(folder, names)
    made = manifest({"name": "any", "folder": str(folder), "checksums": str(path)})
    document = cr.croissant(made, {"any": Place(folder, folder)})
    assert cr.checksum_lists(document) == {"any": entries}
    assert len({each["@id"] for each in document["distribution"]}) == len(names)


def test_a_local_file_has_its_relative_path_its_digest_and_its_format(local):
    made, places, entries = local
    document = cr.croissant(made, places)
    name = "images/Ada Bäkker #1/00.png"
    assert file_of(document, name) == {
        "@type": "cr:FileObject",
        "@id": "toy/images/Ada%20B%C3%A4kker%20%231/00.png",
        "name": name,
        "contentUrl": name,
        "encodingFormat": "image/png",
        "sha256": entries[name],
    }
    assert file_of(document, "x%41.JPG")["encodingFormat"] == "image/jpeg"
    assert file_of(document, "LICENSE")["encodingFormat"] == "application/octet-stream"
    assert "license" not in document, "none is stated"
    assert "no licence stated" in document["description"]


def test_a_file_of_the_hub_has_the_address_of_the_pinned_revision(hub):
    source, place, _ = hub
    document = cr.croissant(manifest(source), {"far": place})
    assert file_of(document, "data/a b.bin")["contentUrl"] == (
        f"https://huggingface.co/datasets/some/Data/resolve/{REVISION}/data/a%20b.bin"
    )
    assert document["license"] == ["CC BY 4.0"]
    assert document["isBasedOn"] == [
        {
            "@type": "sc:CreativeWork", "@id": "source/far", "name": "far", "license": "CC BY 4.0",
            "url": "https://huggingface.co/datasets/some/Data", "version": REVISION,
        }
    ]  # fmt: skip
    model = cr.croissant(manifest(source | {"repo_type": "model"}), {"far": place})
    assert file_of(model, "README.md")["contentUrl"] == (
        f"https://huggingface.co/some/Data/resolve/{REVISION}/README.md"
    )


def test_an_address_without_a_revision_is_refused(hub):
    source, place, _ = hub
    with pytest.raises(ManifestError, match="names no revision"):
        cr.croissant(manifest(source | {"revision": None}), {"far": place})


def test_without_a_hub_the_address_is_the_mirror(hub):
    source, place, _ = hub
    alone = {"name": "far", "checksums": source["checksums"], "mirrors": ["https://m.example/d/"]}
    document = cr.croissant(manifest(alone), {"far": place})
    assert file_of(document, "data/a b.bin")["contentUrl"] == "https://m.example/d/data/a%20b.bin"


def test_it_validates_without_the_network(local, hub, offline):
    made, places, _ = local
    source, place, _ = hub
    both = manifest(made.sources[0].model_dump(), source)
    document = cr.croissant(both, places | {"far": place})
    said = cr.validate(document)
    assert said[0] == "validated by mlcroissant: no errors"
    assert all("is recommended" in each for each in said[1:])


def _without_digest(document):
    del document["distribution"][0]["sha256"]


def _without_format(document):
    del document["distribution"][1]["encodingFormat"]


def _same_file_twice(document):
    document["distribution"].append(dict(document["distribution"][0], name="other"))


def _unknown_table(document):
    document["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "toy/none.csv"


def _unknown_version(document):
    document["conformsTo"] = "http://mlcommons.org/croissant/7"


@pytest.mark.parametrize(
    "damage",
    [_without_digest, _without_format, _same_file_twice, _unknown_table, _unknown_version],
)
def test_a_corrupted_document_does_not_validate(local, damage):
    made, places, _ = local
    document = json.loads(canonical_json(cr.croissant(made, places)))
    cr.validate(document)
    damage(document)
    with pytest.raises(DataError, match="not valid"):
        cr.validate(document)


def test_an_invalid_document_is_not_written(local, tmp_path, monkeypatch):
    made, places, _ = local
    document = cr.croissant(made, places)
    _without_digest(document)
    monkeypatch.setattr(cr, "croissant", lambda *args: document)
    with pytest.raises(DataError, match="sha256"):
        cr.write_croissant(made, places, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_what_is_written_is_canonical_and_the_same_each_time(local, tmp_path):
    made, places, _ = local
    path = tmp_path / "deep" / "out.json"
    assert cr.write_croissant(made, places, path)[-1] == f"croissant: {path}"
    first = path.read_bytes()
    assert first == canonical_json(cr.croissant(made, places)) + b"\n"
    assert b"@base" not in first, "the validator writes into what it is given"
    cr.write_croissant(made, places, path)
    assert path.read_bytes() == first


def test_without_the_package_it_is_written_and_reported_as_unchecked(local, tmp_path, monkeypatch):
    made, places, _ = local
    monkeypatch.setattr(cr, "find_spec", lambda name: None)
    said = cr.write_croissant(made, places, tmp_path / "out.json")
    assert "not validated" in said[0]
    assert (tmp_path / "out.json").is_file()


def test_the_validator_is_imported_only_to_validate():
    code = "import sys, kit.describe.croissant; sys.exit('mlcroissant' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=TOY.parents[2]).returncode == 0


def test_the_context_is_the_validators_own():
    from mlcroissant._src.core.context import Context
    from mlcroissant._src.core.rdf import make_context

    assert make_context(Context(conforms_to=cr.VERSION)) == cr.CONTEXT


def test_mlcroissant_reads_the_rows_of_a_local_table(local, offline):
    from mlcroissant import Dataset

    made, places, _ = local
    path = places["toy"].path / "croissant.json"
    cr.write_croissant(made, places, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    (key,) = [each["@id"] for each in document["recordSet"]]
    read = [
        {name.rpartition("/")[2]: value.decode() for name, value in row.items()}
        for row in Dataset(path).records(key)
    ]
    assert read == [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


def test_columns_of_a_parquet_table_have_their_types(tmp_path):
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [
            ("image", image), ("text", pa.string()), ("texts", pa.list_(pa.string())),
            ("whole", pa.int32()), ("part", pa.float64()), ("flag", pa.bool_()),
            ("nested", pa.struct([("a", pa.string())])),
        ]
    )  # fmt: skip
    folder = tmp_path / "tables"
    folder.mkdir()
    pq.write_table(schema.empty_table(), folder / "t.parquet")
    path, _ = listed(folder, ["t.parquet"])
    made = manifest({"name": "p", "folder": str(folder), "checksums": str(path)})
    document = cr.croissant(made, {"p": Place(folder, folder)})
    fields = {each["name"]: each for each in document["recordSet"][0]["field"]}
    assert {name: each["dataType"] for name, each in fields.items()} == {
        "image": "sc:ImageObject", "text": "sc:Text", "texts": "sc:Text", "whole": "sc:Integer",
        "part": "sc:Float", "flag": "sc:Boolean",
    }  # fmt: skip
    assert fields["texts"]["isArray"] is True
    assert fields["image"]["source"]["transform"] == {"jsonPath": "bytes"}
    cr.validate(document)


def test_a_table_that_cannot_be_read_is_named(local):
    made, places, _ = local
    (places["toy"].path / "T+1.csv").unlink()
    with pytest.raises(DataError, match=r"T\+1\.csv cannot be read"):
        cr.croissant(made, places)
