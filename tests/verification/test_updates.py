"""An adapter that makes nearly the update of another is found, however its factors are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import VerificationError
from kit.verification.safetensors import read_weights
from kit.verification.updates import NEAR, near_copies
from tests.toys.adapter import safetensors, weights_of
from tests.toys.signed_result import ADAPTER, rejects
from tests.verification.test_contradictions import remake_and_sign

VANILLA = "adapters/vanilla/adapter_model.safetensors"
KEY = b"of these files"


def sides(weights):
    """Yield (A, B) of each module by name."""
    for name in weights:
        if name.endswith("A.weight"):
            yield name, name.replace("lora_A", "lora_B")


def update(weights):
    """The update of all modules, written out: an independent way."""
    flat = np.concatenate([(weights[b] @ weights[a]).ravel() for a, b in sides(weights)])
    return flat / np.linalg.norm(flat)


def probes(folder, weights, name="a"):
    (folder / name).write_bytes(safetensors(weights))
    return read_weights(folder / name, KEY).probes


def noisy(weights, share):
    random = np.random.default_rng(5)
    return {n: (w * (1 + share * random.normal(size=w.shape))).astype("<f4")
            for n, w in weights.items()}  # fmt: skip


def turned(weights):
    """Other factors of the same update: the ranks in another order, A doubled and B halved."""
    found = dict(weights)
    for a, b in sides(weights):
        found[a], found[b] = 2 * weights[a][::-1].copy(), weights[b][:, ::-1].copy() / 2
    return found


def scaled(weights):
    return {n: w * np.float32(1.5 if "lora_B" in n else 1) for n, w in weights.items()}


def opposite(weights):
    return {n: w * np.float32(-1 if "lora_B" in n else 1) for n, w in weights.items()}


COPIES = {
    "noise": lambda w: noisy(w, 1e-3), "other factors": turned, "larger": scaled,
    "opposite": opposite,
}  # fmt: skip


@pytest.mark.parametrize("way", COPIES)
def test_a_near_copy_of_another_adapter_is_refused(damaged, way):
    copy = COPIES[way](weights_of(0))
    (damaged / ADAPTER).write_bytes(safetensors(copy))
    assert (damaged / ADAPTER).read_bytes() != (damaged / VANILLA).read_bytes()
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "person-npo-s1 and vanilla are nearly one update")


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 500), second=st.integers(0, 500))
def test_adapters_of_their_own_are_no_copies(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("adapters")
    one, other = weights_of(first), weights_of(second)
    found = {"a": probes(folder, one), "b": probes(folder, other)}
    assert bool(list(near_copies(found))) == (first == second)


def test_the_distance_of_probes_is_about_that_of_the_updates(tmp_path):
    """Of the toy's four modules it is rough: half of 200 pairs are above and half below."""
    ratios = []
    for seed in range(200):
        one, other = weights_of(seed), noisy(weights_of(seed), 0.3)
        exact = np.linalg.norm(update(one) - update(other))
        found = np.linalg.norm(probes(tmp_path, one) - probes(tmp_path, other))
        ratios.append(found / exact)
    assert np.median(ratios) == pytest.approx(1, abs=0.1)
    assert np.max(ratios) < 4


def test_the_limit_is_between_a_copy_and_a_change_of_a_tenth(tmp_path):
    whole = probes(tmp_path, weights_of(1))
    for share, near in ((1e-4, True), (0.1, False)):
        changed = probes(tmp_path, noisy(weights_of(1), share))
        assert (np.linalg.norm(whole - changed) < NEAR) == near


def test_probes_of_another_key_are_others(tmp_path):
    (tmp_path / "a").write_bytes(safetensors(weights_of(1)))
    one, other = (read_weights(tmp_path / "a", key).probes for key in (b"a", b"b"))
    assert np.linalg.norm(one - other) > 0.5


def test_a_matrix_with_an_endless_side_is_refused_before_it_is_probed(damaged):
    weights = weights_of(1)
    name = next(iter(weights))
    weights[name] = np.ones((1, (1 << 21) + 1), dtype="<f4")
    (damaged / ADAPTER).write_bytes(safetensors(weights))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "has a side of 2097153, more than 2097152")
