"""A result's name depends on everything that decides it, data included."""

import re

import pytest

from kit.experiment.manifest import Manifest
from tests.toys.dataset import manifest


@pytest.fixture
def own(tmp_path):
    """Give a function: an experiment with data of the user, whose list has this text."""

    def make(text: str, **sections: object) -> Manifest:
        path = tmp_path / "own.sha256"
        path.write_text(text, encoding="utf-8")
        document = manifest().model_dump(mode="json")
        document["sources"] = [{"name": "pebench", "folder": str(tmp_path), "checksums": str(path)}]
        for name, values in sections.items():
            document[name] |= values
        return Manifest.model_validate(document)

    return make


def test_what_the_kit_draws_itself_is_named_by_the_manifest_alone():
    made = manifest()
    assert made.run_name == f"{made.name}-{made.digest()[:8]}"


def test_other_data_give_another_name_and_the_same_data_the_same(own):
    names = [own(text).run_name for text in ("a list", "another list", "a list")]
    assert names[0] == names[2] != names[1]
    assert all(re.fullmatch(r"toy-[0-9a-f]{8}", name) for name in names)
    assert own("a list").digest() == own("another list").digest(), "paths outside are redacted"


def test_the_list_of_the_base_counts_and_one_that_is_not_written_yet_does_not(own, tmp_path):
    base = {"source": {"name": "base", "folder": str(tmp_path), "checksums": str(tmp_path / "b")}}
    before = own("a list", model=base).run_name
    (tmp_path / "b").write_text("weights", encoding="utf-8")
    one = own("a list", model=base).run_name
    (tmp_path / "b").write_text("other weights", encoding="utf-8")
    assert len({before, one, own("a list", model=base).run_name}) == 3


def test_who_is_forgotten_counts(own, tmp_path):
    names = set()
    for text in ('["Ada"]', '["Bo"]'):
        (tmp_path / "ids.json").write_text(text, encoding="utf-8")
        names.add(own("a list", split={"ids": str(tmp_path / "ids.json")}).run_name)
    assert len(names) == 2
