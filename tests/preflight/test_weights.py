"""Weight files that are no weights, cut off or incomplete are refused by their headers alone."""

import json

import pytest
import torch
from safetensors.torch import save_file

from kit.errors import ModelError
from kit.preflight.weights import INDEX, Weights, read_weights

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nsize 6912345\n"
)


@pytest.fixture
def base(tmp_path):
    """Two weight files with an index."""
    shards = {
        "model-1.safetensors": {"a": torch.zeros(2, 3, dtype=torch.bfloat16)},
        "model-2.safetensors": {"b": torch.zeros(4, dtype=torch.bfloat16), "c": torch.zeros(1)},
    }
    for name, tensors in shards.items():
        save_file(tensors, tmp_path / name, {"format": "pt"})
    write_index(tmp_path, {key: name for name, held in shards.items() for key in held})
    return tmp_path


def write_index(folder, places):
    (folder / INDEX).write_text(json.dumps({"weight_map": places}), encoding="utf-8")


def refused(folder) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_weights(folder)
    assert caught.value.exit_code == 6
    assert caught.value.remedy
    return caught.value


def test_whole_weights_are_counted_by_number_format(base):
    found = read_weights(base)
    assert (found.files, found.dtypes) == (2, {"BF16": 10, "F32": 1})
    assert found.bytes == sum(path.stat().st_size for path in base.glob("*.safetensors"))
    assert not found.in_float32
    assert Weights(1, 8, {"F32": 2, "BF16": 1}).in_float32


def test_a_git_lfs_pointer_is_named(base):
    (base / "model-2.safetensors").write_text(POINTER, encoding="utf-8")
    error = refused(base)
    assert "model-2.safetensors is a git-lfs pointer" in error.what
    assert "git lfs pull" in error.remedy


@pytest.mark.parametrize(("change", "kind"), [(-1, "cut off"), (1, "longer than its header says")])
def test_a_file_that_is_one_byte_shorter_or_longer_than_its_header_says_is_refused(
    base, change, kind
):
    path = base / "model-1.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"\0")
    error = refused(base)
    assert f"model-1.safetensors is {kind}" in error.what
    assert str(len(data)) in error.expected
    assert str(len(data) + change) in error.found


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\x10" + bytes(7) + b"no json here....", b"\xff" * 99]
)
def test_other_bytes_are_no_weights(base, data):
    (base / "model-1.safetensors").write_bytes(data)
    assert "is not a safetensors file" in refused(base).what


def test_a_file_that_the_index_names_must_be_there(base):
    (base / "model-2.safetensors").unlink()
    assert refused(base).expected == "model-1.safetensors, model-2.safetensors".split(", ")[1]


@pytest.mark.parametrize("wrong", [{"a": "model-1.safetensors"}, {"d": "model-1.safetensors"}])
def test_an_index_that_covers_other_tensors_is_refused(base, wrong):
    """One that lacks tensors of the files, and one that names a tensor that no file holds."""
    whole = {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"}
    write_index(base, wrong if "a" in wrong else {**whole, **wrong})
    error = refused(base)
    assert ("does not name" if "a" in wrong else "differ in") in error.what


@pytest.mark.parametrize("indexed", [True, False])
def test_a_copy_in_another_form_is_named_with_what_to_leave_out(base, indexed):
    """Publishers add consolidated or half-precision weights beside those that are read."""
    copy = "consolidated.safetensors"
    save_file({"a": torch.zeros(2, 3)}, base / copy, {"format": "pt"})
    if not indexed:
        for name in (INDEX, "model-1.safetensors"):
            (base / name).unlink()
        (base / "model-2.safetensors").rename(base / "model.safetensors")
    error = refused(base)
    assert error.found == copy
    assert f"leave {copy} out of `files`" in error.remedy
    (base / copy).unlink()
    assert read_weights(base).files == (2 if indexed else 1), "the remedy works"


def test_a_single_file_of_another_name_is_not_read_and_so_refused(base):
    for name in (INDEX, "model-1.safetensors"):
        (base / name).unlink()
    assert "under which they are not read" in refused(base).what


def test_several_files_need_an_index_and_a_base_needs_weights(base, tmp_path):
    (base / INDEX).unlink()
    assert str(refused(base).expected).startswith(INDEX)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no weights in" in refused(empty).what
