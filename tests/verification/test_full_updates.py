"""Full updates in a signed result: the form of their file, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kit.errors import VerificationError
from kit.verification.verify import verify
from tests.toys.adapter import (
    INPUTS,
    NAMES,
    OUTPUTS,
    losses,
    safetensors,
    weights_of,
    write_adapter,
)
from tests.toys.signed_result import TRUSTED, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

FOLDER = "adapters/person-npo-s1"
FILE = f"{FOLDER}/full_update.safetensors"
LAYERS = [n.removeprefix("base_model.model.").removesuffix(".lora_A.weight") for n in NAMES[::2]]


def changes(seed: int) -> dict[str, np.ndarray]:
    """Return {name of a weight: its float32 change} of a full update."""
    random = np.random.default_rng(seed)
    shape = OUTPUTS, INPUTS
    return {f"{layer}.weight": random.normal(size=shape).astype("<f4") for layer in LAYERS}


def fill(folder: Path, seed: int) -> None:
    """Replace an adapter by a full update."""
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (folder / name).unlink()
    (folder / "full_update.safetensors").write_bytes(safetensors(changes(seed)))


def ask(run: dict[str, object], *sections: str) -> None:
    for section in sections:
        run["manifest"][section]["update"] = "full"


@pytest.fixture
def full(damaged: Path) -> Path:
    """A result whose three adapters are full updates."""
    for seed, folder in enumerate(sorted((damaged / "adapters").iterdir())):
        fill(folder, seed)
    edit_run(damaged, lambda run: ask(run, "finetune", "unlearn"))
    return damaged


def test_a_result_with_full_updates_is_verified_and_everything_about_them_says_so(full):
    remake_and_sign(full)
    said = verify(full, trusted=TRUSTED)
    assert "3 adapters, 3 of them full updates, have the form" in str(said)
    for name in ("vanilla", "person-npo-s1", "retain_only-person"):
        card = (full / "adapters" / name / "README.md").read_text()
        assert "This full update " in card
        assert "`full_update.safetensors`, float32" in card
        assert "full-fine-tuning" in card
        assert "LoRA" not in card
        assert "library_name" not in card, "PEFT does not load it"
        assert "| `rank` |" not in card
    report = (full / "report" / "report.md").read_text()
    assert "Full updates are trained in fine-tuning and unlearning, not LoRA" in report
    crate = json.loads((full / "ro-crate-metadata.json").read_text())
    (folder,) = [e for e in crate["@graph"] if e["@id"] == f"{FOLDER}/"]
    assert folder["description"].startswith("person-npo-s1: a full update, losses")


def test_one_method_may_train_an_update_beside_adapters(damaged):
    fill(damaged / FOLDER, 1)
    edit_run(damaged, lambda run: run["manifest"]["methods"][0].update(update="full"))
    remake_and_sign(damaged)
    assert "3 adapters, 1 of them full updates, have" in str(verify(damaged, trusted=TRUSTED))
    card = (damaged / FOLDER / "README.md").read_text()
    assert "This full update makes the vanilla model" in card
    assert "| `update` | full |" in card


def weights(made: dict[str, np.ndarray]):
    return lambda result: (result / FILE).write_bytes(safetensors(made))


def of_another(result: Path) -> None:
    shutil.copy(result / "adapters" / "vanilla" / "full_update.safetensors", result / FILE)


def an_adapter(result: Path) -> None:
    facts = json.loads((result / FOLDER / "card.json").read_text())
    kept = {p.name: p.read_bytes() for p in (result / FOLDER).iterdir()}
    shutil.rmtree(result / FOLDER)
    write_adapter(result / FOLDER, seed=5, steps=facts["steps"], alpha=2.0)
    for name in ("card.json", "README.md"):
        (result / FOLDER / name).write_bytes(kept[name])


FIRST = f"{LAYERS[0]}.weight"
TURNED = {name: change.T.copy() for name, change in changes(1).items()}
ATTACKS = {
    "another shape": (weights(changes(1) | {FIRST: np.ones((OUTPUTS, INPUTS + 1), "<f4")}),
                      "other modules than person-npo-s1: .* has 4 inputs and 3 outputs, not 5"),
    "inputs for outputs": (weights(TURNED), "has 4 inputs and 3 outputs, not 3 inputs and 4"),
    "a layer too few": (weights(dict(list(changes(1).items())[1:])), "other modules than"),
    "another weight": (weights(changes(1) | {"lm_head.weight": np.ones((2, 2), "<f4")}),
                       "other modules than|is no module of model.lora_modules"),
    "a bias": (weights(changes(1) | {f"{LAYERS[0]}.bias": np.ones((2, 2), "<f4")}),
               "is no weight of a layer of the base"),
    "LoRA in it": (weights({n: np.ones((2, 2), "<f4") for n in NAMES}),
                   "is no weight of a layer of the base"),
    "half precision": (lambda result: (result / FILE).write_bytes(safetensors(
        changes(1), **{FIRST: {"dtype": "F16", "shape": [OUTPUTS, INPUTS],
                               "data_offsets": [0, 48]}})), "is of dtype 'F16'"),
    "NaN": (weights(changes(1) | {FIRST: np.full((OUTPUTS, INPUTS), np.nan, "<f4")}), "not finite"),
    "no effect": (weights({n: 0 * change for n, change in changes(1).items()}),
                  "every matrix is zero: the update does nothing"),
    "another's": (of_another, "have equal weights"),
    "another's, scaled and a little changed": (
        weights({n: 3 * c + 1e-4 for n, c in changes(1).items()}), "are nearly one update"),
    "nothing": (lambda result: (result / FILE).unlink(), f"{FILE}: it is missing"),
    "losses of one step": (lambda r: (r / FOLDER / "losses.jsonl").write_text(losses(1)),
                           "1 lines, but 30 steps"),
    "an adapter in its place": (an_adapter, "files are signed that no result has"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_update_that_is_not_what_the_manifest_asks_for_is_refused(full, name):
    mutate, reason = ATTACKS[name]
    mutate(full)
    remake_and_sign(full)
    rejects(full, VerificationError, reason)


def test_an_update_that_an_adapter_of_the_result_makes_as_well_is_refused(damaged):
    """D = 1.5 B A of the vanilla model: other files and names, and the same change of the base."""
    below, above = (f"base_model.model.{{}}.lora_{side}.weight" for side in "AB")
    factors = weights_of(0)
    made = {f"{n}.weight": 1.5 * factors[above.format(n)] @ factors[below.format(n)]
            for n in LAYERS}  # fmt: skip
    fill(damaged / FOLDER, 1)
    weights(made)(damaged)
    edit_run(damaged, lambda run: run["manifest"]["methods"][0].update(update="full"))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "person-npo-s1 and vanilla are nearly one update")


def test_a_changed_number_is_found_by_the_signature(full):
    remake_and_sign(full)
    data = (full / FILE).read_bytes()
    (full / FILE).write_bytes(data[:-4] + np.float32(0.5).tobytes())
    rejects(full, VerificationError, "changed after signing")


def test_a_manifest_that_asks_for_something_else_is_unusable(full):
    edit_run(full, lambda run: run["manifest"]["unlearn"].update(update="half"))
    remake_and_sign(full)
    rejects(full, VerificationError, r"manifest\.unlearn\.update")
