"""`bench nearest`: distances of updates and of answers, against values computed by hand."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from kit.verification.updates import A, B
from tests.bench.nearest import _differing, nearest_updates


def adapter(folder, name, a, b):
    (folder / name).mkdir()
    weights = {f"layer{A}": np.array(a, np.float32), f"layer{B}": np.array(b, np.float32)}
    save_file(weights, folder / name / "adapter_model.safetensors")


def test_an_update_in_other_factors_is_at_distance_0_and_one_at_a_right_angle_at_root_2(tmp_path):
    adapter(tmp_path, "one", [[1, 2]], [[3], [0]])
    adapter(tmp_path, "turned", [[2, -1]], [[5], [0]])  # (1, 2) times (2, -1) is 0
    distance, *names = nearest_updates(tmp_path)
    assert names == ["one", "turned"]
    assert distance == pytest.approx(2**0.5)
    adapter(tmp_path, "same", [[-2, -4]], [[-6], [0]])  # four times the first
    distance, *names = nearest_updates(tmp_path)
    assert names == ["one", "same"]
    assert distance == pytest.approx(0, abs=1e-6)
    assert nearest_updates(tmp_path / "one") is None, "no adapters are kept"


def test_systems_of_one_method_or_of_two_targets_are_not_compared():
    texts = pd.DataFrame(
        {"vanilla": list("aaaa"), "ga": list("aaab"), "ga2": list("aaab"), "event": list("aaab")}
    )
    systems = pd.DataFrame(
        {"method": ["none", "ga", "ga", "po"], "target": [None, "person", "person", "event"]},
        index=texts.columns,
    )
    found = {(one, other): share for share, one, other in _differing(texts, systems)}
    assert found == {("vanilla", name): 0.25 for name in ("ga", "ga2", "event")}
