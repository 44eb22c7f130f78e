"""How often a record goes through the model: counted by running every method's loss."""

import dataclasses
from pathlib import Path

import pytest

from kit.methods import Needs, passes, registry
from kit.methods.passes import Passes, count_passes

# With gradient and without, read off the formulas at the top of each method's file.
BY_HAND = {
    "grad_ascent": (1, 0),
    "retain_finetune": (1, 0),
    "grad_diff": (2, 0),
    "npo": (2, 0),
    "po": (2, 0),
    "dpo": (3, 0),
    "kl_min": (2, 1),
    "siu": (2, 2),
    "balanced_grad_diff": (2, 1),
    "balanced_kl_min": (2, 2),
    "l1": (2, 0),
    # Also a second time with gradient, of a measured record, and bytes of each trained weight:
    # float32 gradients of terms, masks of 1 byte, a mean of gradients, the weights as they were.
    "mmunlearner": (2, 0, 0, 3, 4 * (2 * 3 - 2)),  # more than 1 + 4 * (2 + 1) in a step
    "salun": (2, 0, 0, 1, 1 + 4 * (1 + 1)),
    "gru": (2, 0, 0, 0, 4 + 4 * 2),
    "npo_sam": (2, 0, 1, 0, 4 * (2 + 1 + 1)),
    "cmju": (4, 0, 0, 2, 2 + 4 * (3 + 1)),
    "pdu": (2, 0, 0, 1, 4 * 2),
    "undial": (1, 1),
    "simnpo": (2, 0),
    "wga": (2, 0),
    "satimp": (2, 0),
    "ceu": (1, 0),
    "scrub": (2, 2),
    "random_labels": (2, 0),
    "llmu": (3, 1),
    "altpo": (3, 0),
    "bao": (3, 0),
    "rmu": (2, 1),
    "task_vector": (1, 0),
    "mip_editor": (2, 0),
    "smfa": (2, 0, 0, 0, 0, 3),  # of each of three adapters, one after the other
}


def test_passes_are_those_of_the_formulas():
    untrained = {"prompt_only", "manu"}
    trained = [name for name in registry.names() if name not in untrained]
    found = {name: count_passes(registry.build(name, {})) for name in trained}
    own = {name for name in set(trained) - set(BY_HAND) if counts_its_passes(name)}
    expected = {name: Passes(*passes) for name, passes in BY_HAND.items()}
    assert {name: passes for name, passes in found.items() if name not in own} == expected


def counts_its_passes(name):
    """Whether a method has a test file of its own that does, as `./run.sh new method` writes it."""
    path = Path(__file__).with_name(f"test_{name}.py")
    return path.is_file() and "count_passes(registry.build(NAME" in path.read_text("utf-8")


def test_the_readme_names_the_methods_that_the_stop_rule_never_ends(monkeypatch):
    class Seen(passes._Counted):
        def __init__(self, *args, **values):
            super().__init__(*args, **values)
            made.append(self)

    made: list[Seen] = []
    monkeypatch.setattr(passes, "_Counted", Seen)
    unstopped = set()
    for name in BY_HAND:
        made.clear()
        passes._counted.__wrapped__(registry.build(name, {}))
        step, _perturbed, _measured, *turns = made
        if not any(each.forgotten for each in (step, *turns)):
            unstopped.add(name)
    readme = Path(registry.FOLDER, "README.md").read_text("utf-8")
    said = readme.partition("make all of their steps:\n")[2].partition(".")[0]
    assert {name.strip(" \n`") for name in said.split(",")} == unstopped


@pytest.mark.parametrize("name", ["npo", "dpo", "altpo", "simnpo", "wga", "satimp", "undial"])
def test_a_retain_term_of_weight_0_needs_no_retain_record_and_no_pass(name):
    without, usual = (registry.build(name, {"retain_weight": weight}) for weight in (0.0, 1.0))
    assert (without.needs.retain, usual.needs.retain) == (False, True)
    assert count_passes(without).gradient == count_passes(usual).gradient - 1


@dataclasses.dataclass(frozen=True)
class Twice:
    """A method of a user that asks for the forget answers two times."""

    needs = Needs(retain=True)

    def loss(self, step):
        return step.forget_nll().mean() + step.forget_nll().mean()


def test_a_method_that_is_new_is_counted_by_what_it_calls():
    assert count_passes(Twice()) == Passes(2, 0)


def test_the_count_is_what_a_training_step_notes():
    """`forward_passes` of the committed reference: 60 steps of 16 records, scalars apart."""
    for method, noted in (("po", 1920), ("kl_min", 2880), ("siu", 3840), ("grad_diff", 1920)):
        passes = count_passes(registry.build(method, {}))
        assert 60 * 16 * (passes.gradient + passes.other) == noted
