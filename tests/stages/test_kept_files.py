"""The files of the adapters that a result keeps: their size is known before they are copied."""

import pytest

from kit.errors import StorageError
from kit.plan.jobs import make_plan
from kit.stages import kept_files as kept_module
from kit.stages.kept_files import bytes_of, kept_files
from tests.toys.dataset import manifest


def files(tmp_path, sizes):
    made = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(made, sizes, strict=True):
        path.write_bytes(bytes(size))
    return {"vanilla": made[:1], "npo": made[1:]}


def test_bytes_are_added_up_and_more_than_a_result_may_have_is_refused(tmp_path, monkeypatch):
    kept = files(tmp_path, [40, 30, 30])
    assert bytes_of(kept) == 100
    monkeypatch.setattr(kept_module, "MAX_TREE_BYTES", 99)
    with pytest.raises(StorageError, match="the 2 adapters are too large") as caught:
        bytes_of(kept)
    assert 'report.adapters = "claimed" or "none"' in str(caught.value)


def test_only_adapters_that_the_manifest_keeps_are_listed():
    plan = make_plan(manifest())
    assert kept_files(plan).keys() == {job.name for job in plan.jobs()}
    assert [path.name for path in kept_files(plan)["vanilla"]] == [
        "adapter_model.safetensors", "adapter_config.json", "losses.jsonl",
    ]  # fmt: skip
    report = manifest().report.model_copy(update={"adapters": "none"})
    assert kept_files(make_plan(manifest().model_copy(update={"report": report}))) == {}
