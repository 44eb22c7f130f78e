"""CITATION.cff follows the Citation File Format 1.2.0 and names this version of the kit."""

import re
from itertools import chain

import pytest
import yaml

from kit import __version__
from kit.artifacts import PROJECT

CITATION = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
# The keys of schema version 1.2.0 that are used here, and what each must be.
KEYS = {
    "cff-version": str, "message": str, "title": str, "type": str, "abstract": str, "version": str,
    "license": str, "authors": list, "keywords": list, "references": list,
}  # fmt: skip
REFERENCE = {
    "type": str, "title": str, "authors": list, "year": int, "url": str, "doi": str, "start": int,
    "end": int, "collection-title": str, "identifiers": list,
}  # fmt: skip


def test_it_has_what_the_format_demands():
    assert {"authors", "cff-version", "message", "title"} <= set(CITATION)
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    for key, value in CITATION.items():
        assert isinstance(value, KEYS[key]), key


def test_the_version_is_the_kits_and_the_licence_the_projects():
    assert CITATION["version"] == __version__
    assert f'license = "{CITATION["license"]}"' in (PROJECT / "pyproject.toml").read_text()


def test_the_authors_are_an_entity():
    assert CITATION["authors"] == [{"name": "The PEBench reproducibility kit authors"}]


@pytest.mark.parametrize("reference", CITATION["references"], ids=lambda each: each["title"][:12])
def test_a_reference_has_what_the_format_demands(reference):
    assert {"authors", "title", "type"} <= set(reference)
    assert reference["type"] in {"article", "conference-paper"}
    for key, value in reference.items():
        assert isinstance(value, REFERENCE[key]), key
    assert re.fullmatch(r"10\.\d{4,9}/\S+", reference.get("doi", "10.18653/v1"))
    for author in reference["authors"]:
        assert set(author) == {"given-names", "family-names"}
    for identifier in reference["identifiers"]:
        assert identifier["type"] in {"doi", "url", "swh", "other"}


def test_the_three_benchmarks_are_cited_by_the_papers_that_the_loaders_name():
    cited = {value["value"].removeprefix("arXiv:") for value in chain.from_iterable(
        reference["identifiers"] for reference in CITATION["references"])}  # fmt: skip
    for name, paper in {
        "pebench": "2503.12545",
        "mllmu": "2410.22108",
        "clear": "2410.18057",
    }.items():
        loader = (PROJECT / "kit" / "benchmarks" / name / "__init__.py").read_text(encoding="utf-8")
        assert f"arXiv {paper}" in loader
        assert paper in cited
