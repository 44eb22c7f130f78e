"""Heads on hidden states: equal to another implementation, and nothing trained on is asked."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize

from kit.attacks import Around
from kit.attacks.probe_head import ProbeHead
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split
from kit.errors import ManifestError
from kit.evaluation.probing import probed, states
from kit.experiment.attack import AttackEntry
from kit.experiment.manifest_file import load_manifest
from kit.model.base import load_base
from kit.model.batches import Batcher
from kit.model.head import fit_head, predict
from tests.toys.dataset import TOY


def points(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width))


def test_a_head_is_the_softmax_regression_that_another_optimiser_finds():
    given, classes, decay = points(12, 5, 1), np.arange(12) % 3, 0.1

    def loss(flat):
        weights, bias = flat[:15].reshape(3, 5), flat[15:]
        scores = given @ weights.T + bias
        chosen = scores[np.arange(12), classes]
        nll = np.log(np.exp(scores).sum(axis=1)) - chosen
        return nll.mean() + decay / 2 * (weights**2).sum()

    right = minimize(loss, np.zeros(18), method="BFGS", options={"gtol": 1e-9}).x
    weights, bias = fit_head(torch.from_numpy(given), torch.from_numpy(classes), decay)
    assert weights.flatten().numpy() == pytest.approx(right[:15], abs=1e-5)
    assert bias.numpy() == pytest.approx(right[15:] - right[15:].mean(), abs=1e-5)


def test_a_head_tells_groups_apart_whatever_the_scale_of_a_feature():
    centres = 4 * points(3, 6, 2)
    shown = torch.from_numpy(np.concatenate([centres, centres + 0.1 * points(3, 6, 3)]))
    asked = torch.from_numpy(np.repeat(centres, 4, axis=0) + 0.1 * points(12, 6, 4))
    classes = torch.tensor([0, 1, 2, 0, 1, 2])
    assert predict(shown, classes, asked, 0.01) == [0] * 4 + [1] * 4 + [2] * 4
    scale = torch.tensor([1e3, 1.0, 1e-3, 5.0, 0.1, 1.0], dtype=torch.float64)
    assert predict(shown * scale, classes, asked * scale, 0.01) == [0] * 4 + [1] * 4 + [2] * 4
    dead = torch.cat([shown, torch.ones(6, 1)], dim=1), torch.cat([asked, torch.ones(12, 1)], dim=1)
    assert predict(dead[0], classes, dead[1], 0.01) == [0] * 4 + [1] * 4 + [2] * 4


@pytest.fixture
def toy(tmp_path):
    """Four people, two of them to be forgotten, with three pictures each; one scene a picture."""
    records = {}
    stream = np.random.default_rng(5)
    for person in ("Ann", "Bo", "Cy", "Di"):
        pixels = stream.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        for view in range(3):
            path = tmp_path / f"{person}{view}.png"
            Image.fromarray(pixels).save(path)
            records[f"{person}{view}"] = Record(
                f"{person}{view}", Concept.PERSON, "Who is this person?", person, path, person,
                "fair",
            )  # fmt: skip
    records["fact"] = Record("fact", Concept.FACT, "Where does Ann live?", "Oslo", person="Ann")
    forget = tuple(name for name in records if name[:2] in ("An", "Bo", "fa"))
    retain = tuple(name for name in records if name not in forget)
    columns = {("person", Column.EFFICACY): forget, ("person", Column.RETAIN): retain}
    split = Split("person", forget, retain, columns)
    return Benchmark("toy", records, tuple(records), {"person": split})


@pytest.mark.parametrize("count", [1, 2])
def test_a_head_sees_some_records_of_every_person_and_is_asked_about_the_others(toy, count):
    attack, around = ProbeHead(records=count), Around(toy, "person", "x")
    shown = attack.trained(Concept.PERSON, around)
    assert sorted(record.person for record in shown) == sorted(["Ann", "Bo", "Cy", "Di"] * count)
    seen = {record.id for record in shown}
    asked = {name for name in toy.records if attack.applies(toy.records[name], 0.5, around)}
    assert asked == {name for name in toy.records if name != "fact"} - seen


@pytest.mark.parametrize("options", [{"records": 0}, {"decay": 0.0}])
def test_a_head_that_nothing_decides_is_refused(options):
    with pytest.raises(ManifestError, match=r"option '(records|decay)'"):
        ProbeHead(**options)


@pytest.fixture(scope="module")
def base(tiny_base):
    return load_base(tiny_base, load_manifest(TOY).model)


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


def test_the_state_is_that_of_the_last_token_of_the_prompt_and_knows_no_answer(base, batcher, toy):
    records = [toy.records[name] for name in ("Ann0", "Bo1")]
    layers = len(base.get_decoder().layers)
    with torch.no_grad():
        inputs = batcher.prompts(records).inputs
        whole = base(**inputs, output_hidden_states=True).hidden_states
    for layer in range(layers - 1):  # the last one of transformers has the final norm
        assert states(records, base, batcher, layer) == pytest.approx(
            whole[layer + 1][:, -1], abs=1e-4
        )
    other = [dataclasses.replace(record, answer="Nobody at all") for record in records]
    assert torch.equal(states(other, base, batcher, 0), states(records, base, batcher, 0))


def test_a_head_of_any_depth_names_the_person_whose_picture_it_has_seen(base, batcher, toy):
    entry = AttackEntry(name="head", label="H", attack="probe_head", levels=(0.5, 1.0))
    system = SimpleNamespace(name="npo", instruction="", target="person")
    job = SimpleNamespace(system=system, target="person", entry=entry, attack=ProbeHead())
    plan = SimpleNamespace(manifest=SimpleNamespace(attack=SimpleNamespace(max_records=64)))
    rows = probed(job, plan, toy, base, batcher)
    assert [level for level, _ in rows] == [0.5] * 4 + [1.0] * 4
    for level, (name, target, attack, at, record, question, picture, text, tokens, stop) in rows:
        assert (name, target, attack, at) == ("npo", "person", "head", level)
        assert text == toy.records[record].answer, "its pictures are copies of one"
        assert (question, picture, stop) == ("Who is this person?", "", "eos")
        assert tokens > 1
