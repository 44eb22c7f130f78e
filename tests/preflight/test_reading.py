"""A value of a wrong type in a base's files is named before training, with the files to correct."""

import json
import shutil
from pathlib import Path

import pytest

from kit.errors import ModelError
from kit.preflight import ready
from kit.preflight.reading import reading
from tests.toys.dataset import manifest


@pytest.fixture
def base(tiny_base, tmp_path, monkeypatch):
    """A copy of the tiny base, which a test may damage, as the base of every manifest."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    monkeypatch.setattr(ready, "base_folder", lambda _: folder)
    return folder


def change(path: Path, *keys: str, value: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    inside = content
    for key in keys[:-1]:
        inside = inside[key]
    inside[keys[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "keys", "value", "named"),
    [
        ("config.json", ("text_config", "intermediate_size"), "x", "config.json .*"),
        ("config.json", ("vision_config", "image_size"), 1e308, "config.json .*"),
        ("config.json", ("vision_config", "hidden_size"), 0, "config.json .*"),
        ("config.json", ("text_config", "rope_parameters", "rope_theta"), [], "config.json .*"),
        ("config.json", ("text_config",), 7, "base"),
        ("tokenizer.json", ("model", "vocab", "Q"), 1e30, "processor and tokenizer .*"),
        ("tokenizer.json", ("post_processor", "single", 0), 1.5, "processor and tokenizer .*"),
        ("generation_config.json", ("pad_token_id",), "x", ".*generation_config.json .*"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_of_a_wrong_type_is_an_error_of_the_base(base, file, keys, value, named):
    change(base / file, *keys, value=value)
    with pytest.raises(ModelError, match=named) as caught:
        ready.require_base(manifest())
    assert str(base) in str(caught.value)
    assert caught.value.found
    assert caught.value.remedy


def test_the_unchanged_base_can_be_used(base):
    assert ready.require_base(manifest()).weights


def test_errors_of_memory_and_of_the_kit_are_passed_on(tmp_path):
    for error in (MemoryError(), ModelError("the kit's own")):
        with pytest.raises(type(error)) as caught, reading(tmp_path, "config.json"):
            raise error
        assert caught.value is error
