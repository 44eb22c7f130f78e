"""A broken method is one error that names file, line and what was expected, before training."""

import json
from dataclasses import dataclass, replace

import pytest
import torch

from kit.doctor.inputs import examine_methods
from kit.errors import ManifestError, MethodError
from kit.experiment.manifest_file import load_manifest
from kit.methods import Needs, registry
from kit.plan.jobs import make_plan
from kit.preflight import methods as preflight
from kit.preflight.methods import check_method, require_methods, try_named
from kit.preflight.trial import Trial
from kit.preflight.tried import path_of, untried
from tests.methods.test_methods import file_of_a_method
from tests.methods.test_needs import ByTextAlone, RandomLabels
from tests.toys.dataset import TOY

__all__ = ["file_of_a_method"]  # a fixture
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    return Trial(tmp_path_factory.mktemp("trial"))


FILE = """from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from kit.methods import Needs, Step
NOTHING = torch.zeros(2)


@dataclass(frozen=True)
class Mine:
    needs: ClassVar[Needs] = Needs({needs})

    def loss(self, step: Step) -> Tensor:
        {body}


METHOD = Mine
"""
# name -> (needs, body of the loss, what is wrong, a part of what was expected or of the remedy)
BROKEN = {
    "shape": ("", "return step.forget_nll()", "the loss is not a scalar", "shape []"),
    "number": ("", "return step.forget_nll().mean().item()", "not a scalar", ".mean()"),
    "nothing": ("", "step.forget_nll().mean()", "the loss is not a scalar", "shape []"),
    "nan": ("", "return step.forget_nll().mean() * float('nan')", "the loss is nan", "finite"),
    "infinite": ("", "return step.forget_nll().mean() / 0", "the loss is inf", "division by 0"),
    "detached": ("", "return step.forget_nll().mean().detach()", "no gradient", ".detach()"),
    "zero": ("", "return step.forget_nll().mean() * 0", "the gradient is zero", "that is 0"),
    "rounded": ("", "return step.forget_nll().mean().round()", "the gradient is zero", "`round`"),
    "root": (
        "",
        "return step.forget_nll().mean() + (step.forget_nll() * 0.0).sqrt().mean()",
        "the gradient is not finite",
        "square roots",
    ),
    "undeclared": (
        "",
        "return step.retain_nll().mean()",
        "needs do not declare",
        "Needs(retain=True)",
    ),
    "typo": ("", "return step.forget_nnl().mean()", "AttributeError: 'Watched'", "try-method"),
    "name": (
        "",
        "return alpha * step.forget_nll().mean()",
        "NameError: name 'alpha'",
        "try-method",
    ),
    "sizes": (
        "retain=True",
        "return (step.forget_nll() + NOTHING[:1, None]).matmul(NOTHING[:1]).mean()",
        "RuntimeError",
        "try-method",
    ),
    "torchs": (
        "",
        "return torch.nn.functional.kl_div(step.forget_nll()[:, None, None], step.forget)",
        "TypeError",
        "try-method",
    ),
    "batch": ("", "return step.policy(step.forget.inputs).mean()", "AttributeError", "try-method"),
    "inplace": (
        "",
        "x = step.forget_nll().exp(); y = x * x; x.zero_(); return y.mean()",
        "modified by an inplace operation",
        "try-method",
    ),
    "logged": (
        "",
        "n = step.forget_nll().mean(); step.log['mine'] = n.detach(); return n",
        "`step.log['mine']` is not a number",
        "float(value.detach())",
    ),
    "sum": (
        "",
        "return step.forget_nll().sum()",
        "depends on the size of the micro-batch",
        "`.mean()`",
    ),
    "compares": (
        "",
        "return step.forget_nll().var()",
        "depends on the size of the micro-batch",
        "Needs(whole_batch=True)",
    ),
    "padding": (
        "",
        "return step.policy(step.forget).mean()",
        "depends on the padding",
        "answer_mask",
    ),
    "random": (
        "",
        "return (step.forget_nll() * torch.rand(())).mean()",
        "not the same twice",
        "generator",
    ),
    "stops": ("", "raise SystemExit(0)", "SystemExit: 0", "try-method"),
    "answers": (
        "",
        "step.forget.answer_ids.add_(1); return step.forget_nll().mean()",
        "changes its batch in place",
        ".clone()",
    ),
    "picture": (
        "",
        "step.forget.inputs.pop('pixel_values'); return step.forget_nll().mean()",
        "changes its batch in place",
        ".clone()",
    ),
    "precision": (
        "",
        "torch.set_default_dtype(torch.float64); return step.forget_nll().mean()",
        "changes the default dtype for everything that follows",
        "float32",
    ),
    "unrecorded": (
        "",
        "n = step.forget_nll().mean(); torch.set_grad_enabled(False); return n",
        "changes the gradient mode",
        "restores it",
    ),
    "idle": (
        "retain=True, reference_scalars=True",
        "return step.retain_nll().mean()",
        "does not use what its needs declare",
        "needs = Needs(forget=False, retain=True)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_loss_is_told_with_file_line_and_what_was_expected(file_of_a_method, trial, name):
    needs, body, what, wanted = BROKEN[name]
    file_of_a_method(f"my_{name}", FILE.format(needs=needs, body=body))
    with pytest.raises(MethodError) as caught:
        list(check_method(registry.build(f"my_{name}", {}), trial))
    error = caught.value
    assert error.exit_code == 16
    assert error.what.startswith(f"method 'my_{name}' (kit/methods/my_{name}.py)")
    assert what in error.what
    assert wanted in f"{error.expected} {error.remedy}"
    if name == "idle":
        assert "read were retain" in error.found
        return
    line = 15 if name == "nothing" else 16  # without a return, the line of `def`
    assert f"kit/methods/my_{name}.py:{line}" in error.found


RULE = """from dataclasses import dataclass
from typing import ClassVar

import torch

from kit.methods import Gradient, Needs, State


@dataclass(frozen=True)
class Mine:
    needs: ClassVar[Needs] = Needs({needs})

    def loss(self, step):
        return {{"forget": -step.forget_nll().mean()}}

{body}


METHOD = Mine
"""
MEASURES = "    def measure(self, step): return {{'own': step.forget_nll(){}}}\n"
BEGINS = "    def begin(self, measured): return State({})\n"
COMBINES = "    def combine(self, update): {} return update.gradients['forget']"
# name -> (needs, body of the class, what is wrong, a part of what was found or of the remedy)
BROKEN_RULES = {
    "terms": ("", "", "the loss is several terms", "gradient_rule=True"),
    "without": ("gradient_rule=True", "", "its functions are not", "without `combine`"),
    "undeclared": ("", COMBINES.format(""), "its functions are not", "Needs(gradient_rule=True)"),
    "half": (
        "gradient_rule=True, measure=True",
        MEASURES.format(".mean()") + COMBINES.format(""),
        "its functions are not",
        "define `begin`",
    ),
    "alone": ("perturbation=True", COMBINES.format(""), "its functions are not", "gradient_rule"),
    "none": (
        "gradient_rule=True",
        "    def combine(self, update): return None",
        "`combine` gives no gradient",
        "NoneType",
    ),
    "term": (
        "gradient_rule=True",
        "    def combine(self, update): return update.gradients['forgotten']",
        "KeyError: 'forgotten'",
        "update.gradients['forgotten']",
    ),
    "zero": (
        "gradient_rule=True",
        "    def combine(self, update): return update.gradients['forget'] * 0.0",
        "the gradient is zero",
        "56 weights",
    ),
    "shape": (
        "gradient_rule=True, measure=True",
        MEASURES.format("[None]") + BEGINS.format("") + COMBINES.format(""),
        "the measure 'own' is not a scalar",
        "shape [1, 1]",
    ),
    "state": (
        "gradient_rule=True, measure=True",
        MEASURES.format(".mean()")
        + BEGINS.format("").replace("State()", "{}")
        + COMBINES.format(""),
        "`begin` returns dict",
        "return {}",
    ),
    "tensor": (
        "gradient_rule=True",
        COMBINES.format("update.state.numbers['last'] = torch.ones(1);"),
        "what it keeps between steps cannot be saved",
        "TypeError",
    ),
    "plain": (
        "gradient_rule=True",
        COMBINES.format("update.state.weights['last'] = dict(update.gradients['forget']);"),
        "what it keeps between steps cannot be saved",
        "not the same",
    ),
    "random": (
        "gradient_rule=True",
        "    def combine(self, update): return update.gradients['forget'] * float(torch.rand(()))",
        "not the same twice",
        "generator",
    ),
    "mask": (
        "gradient_rule=True",
        COMBINES.format("update.mask = Gradient();"),
        "`combine` gives no gradient",
        "0 of 56 weights",
    ),
}


@pytest.mark.parametrize("name", BROKEN_RULES)
def test_a_broken_rule_is_told_with_its_file_and_a_remedy(file_of_a_method, trial, name):
    needs, body, what, wanted = BROKEN_RULES[name]
    file_of_a_method(f"my_rule_{name}", RULE.format(needs=needs, body=body))
    with pytest.raises(MethodError) as caught:
        list(check_method(registry.build(f"my_rule_{name}", {}), trial))
    error = caught.value
    assert f"my_rule_{name}" in error.what
    assert what in error.what
    assert wanted in f"{error.found} {error.remedy}"


FILES = {
    "no_method": (FILE.replace("METHOD = Mine", ""), "has no METHOD", "METHOD = <the class>"),
    "instance": (FILE.replace("= Mine", "= Mine()"), ":19: METHOD is", "a frozen dataclass"),
    "function": (FILE.replace("= Mine", "= len"), ":19: METHOD is", "a frozen dataclass"),
    "plain": (
        FILE.replace("@dataclass(frozen=True)", ""),
        ":12: Mine is not a dataclass",
        "frozen",
    ),
    "thawed": (FILE.replace("(frozen=True)", ""), ":12: Mine is a dataclass that is not", "frozen"),
    "needless": (FILE.replace("needs: ", "wants: "), "there is no `needs`", "Needs"),
    "needs_word": (
        FILE.replace(": ClassVar[Needs] = Needs({needs})", " = 'retain'"),
        "is 'retain'",
        "Needs",
    ),
    "needs_dict": (
        FILE.replace(
            "needs: ClassVar[Needs] = Needs({needs})",
            "needs = property(lambda self: dict(retain=True))",
        ),
        "of type dict",
        "Needs(...)",
    ),
    "needs_raise": (
        FILE.replace(
            "needs: ClassVar[Needs] = Needs({needs})", "needs = property(lambda s: 1 / 0)"
        ),
        ":13: needs = property",
        "Needs(...)",
    ),
    "needs_text": (FILE.replace("Needs({needs})", "Needs(retain='no')"), "retain = 'no'", "True"),
    "needs_option": (FILE.replace("ClassVar[Needs]", "Needs"), "write `needs: ClassVar", "Needs"),
    "open": (
        FILE.replace("    def loss", "    beta: float\n\n    def loss"),
        "no default",
        "frozen",
    ),
    "lossless": (FILE.replace("def loss", "def lose"), "there is no `loss`", "loss(self, step)"),
    "stepless": (FILE.replace("self, step: Step", "self"), "cannot be called", "loss(self, step)"),
    "no_such_need": (FILE, "unexpected keyword argument 'retian'", "did you mean 'retain'"),
    "syntax": (FILE.replace("METHOD = Mine", "METHOD = = Mine"), "my_syntax.py:19", ""),
    "tabs": (FILE.replace("        {body}", "\t{body}\n        pass"), "my_tabs.py:1", ""),
    "import": ("import no_such_package\n" + FILE, "my_import.py:1: import no_such_package", "pack"),
    "fails": (FILE.replace("NOTHING = ", "NOTHING = 1 / 0 #"), ":8: NOTHING = 1 / 0", "packages"),
    "exits": (FILE.replace("NOTHING = ", "raise SystemExit(0) #"), ":8: raise SystemExit", "pack"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_method_is_told_with_its_line(file_of_a_method, name):
    text, found, expected = FILES[name]
    needs = "retian=True" if name == "no_such_need" else ""
    text = text.format(needs=needs, body="return step.forget_nll().mean()")
    file_of_a_method(f"my_{name}", text)
    with pytest.raises(MethodError) as caught:
        registry.build(f"my_{name}", {}, "try-method")
    error = caught.value
    told = f"{error.what}\n{error.found}"
    assert error.what.startswith(f"try-method: method 'my_{name}' (kit/methods/my_{name}.py)")
    assert found in told
    assert f"kit/methods/my_{name}.py" in told
    assert expected in str(error.expected or "")
    assert error.remedy


def test_a_file_in_another_encoding_stops_only_those_who_name_it(file_of_a_method, tmp_path):
    file_of_a_method("my_latin", "")
    (tmp_path / "my_latin.py").write_bytes(b"NAME = '\xe9'\n\nMETHOD = int\n")
    assert "my_latin" in registry.names()
    with pytest.raises(MethodError, match="is not valid Python"):
        registry.build("my_latin", {})


def test_options_that_a_method_refuses_are_told_in_its_own_words(file_of_a_method):
    check = (
        "\n    beta: float = 1.0\n\n    def __post_init__(self):\n        assert self.beta > 0\n"
    )
    text = FILE.format(needs="", body="pass").replace("Needs()\n", f"Needs()\n{check}", 1)
    file_of_a_method("my_refuses", text)
    with pytest.raises(ManifestError, match="refuses its options") as caught:
        registry.build("my_refuses", {"beta": -1.0})
    assert "my_refuses.py:18: assert self.beta > 0" in caught.value.remedy


METHODS = {name: registry.build(name, {}).needs for name in registry.names()}
TRAINED = [n for n, needs in METHODS.items() if needs.training and not needs.training_free]


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_of_the_kit_passes(trial, name):
    found = list(check_method(registry.build(name, {}), trial))
    needs = METHODS[name]
    # CMJU trains 30 % of the tensors, RMU sees the first of four layers.
    given = {"cmju": 17, "rmu": 14}.get(name, 56)
    moved = 2 + needs.neurons
    assert found[moved].startswith(f"{given} of 56 weights of the adapter got a gradient")
    more = needs.gradient_rule + needs.arithmetic + needs.neurons + needs.merging
    assert len(found) == 7 + more
    kept = found[moved + 2].startswith("kept between steps, and in checkpoints: ")
    assert kept == needs.gradient_rule


def test_a_method_without_training_is_tried_by_what_it_removes(trial):
    found = list(check_method(registry.build("manu", {}), trial))
    assert found[1].endswith("in 4 layers, the same ones twice")
    assert found[2] == (
        "needs that are declared are used: forget, neurons, retain, text_view, training_free"
    )
    assert len(found) == 3


@dataclass(frozen=True)
class AllNeeds:
    """A loss of everything that can be needed, which compares the records of its batch."""

    needs = Needs(
        retain=True, refusals=True, reference_scalars=True, reference_distribution=True,
        other_answers=True, text_view=True, whole_batch=True,
    )  # fmt: skip

    def loss(self, step):
        assert len(step.forget.record_ids) == 2
        terms = [
            step.other_nll(), step.retain_nll(), step.refusal_nll(), step.forget_logprob().var(),
            step.reference(step.text).mul(0).sum() + step.forget_reference + step.refusal_reference,
        ]  # fmt: skip
        return sum(term.mean() for term in terms)


@pytest.mark.parametrize("method", [RandomLabels(), ByTextAlone()], ids=repr)
def test_what_is_prepared_is_the_same_in_every_micro_batch(trial, method):
    found = list(check_method(method, trial))
    assert found[-1].startswith("micro-batches of one record give the batch's loss and gradient")


def test_a_loss_that_needs_the_whole_batch_and_other_answers_passes(trial):
    found = list(check_method(AllNeeds(), trial))
    assert "other_answers" in found[4]
    assert "text_view" in found[4]
    assert found[-1] == "it needs the whole batch, so micro-batches were not tried"


def test_try_method_takes_the_name_of_a_file_or_of_an_entry_with_its_options(trial, monkeypatch):
    monkeypatch.setattr(preflight, "Trial", lambda folder: trial)
    manifest = load_manifest(TOY)
    entry = manifest.methods[0].model_copy(
        update={"name": "strong", "method": "npo", "options": {"beta": 0.5}}
    )
    manifest = manifest.model_copy(update={"methods": (entry,)})
    (told, *lines) = try_named(manifest, "strong")
    assert told == "method 'npo' (kit/methods/npo.py), options: beta = 0.5"
    assert all(line.startswith("ok  ") for line in lines[:-1])
    assert next(iter(try_named(manifest, "kit/methods/kl_min.py"))).endswith("options: defaults")
    assert list(try_named(manifest, "prompt_only"))[-2].startswith("ok  it trains nothing")
    with pytest.raises(ManifestError, match="did you mean 'npo'"):
        list(try_named(manifest, "nqo"))


def test_a_method_is_tried_once_for_each_set_of_options(trial, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(preflight, "Trial", lambda folder: trial)
    plan = make_plan(load_manifest(TOY))
    waiting = untried(plan)
    assert len({path_of(job.method) for job in waiting}) == len(waiting) < len(plan.unlearn)
    assert len(require_methods(plan)) == len(waiting)
    assert untried(plan) == []
    stored = json.loads(path_of(waiting[0].method).read_text())
    assert len(stored["found"]) == 7
    other = registry.build("npo", {"beta": 0.7})
    assert not path_of(other).is_file()


def test_the_doctor_tries_methods_too(request, trial, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(preflight, "Trial", lambda folder: trial)
    manifest = load_manifest(TOY)

    def plan_with(method):
        entry = manifest.methods[0].model_copy(update={"name": "my", "method": method})
        return make_plan(manifest.model_copy(update={"methods": (entry,), "claims": ()}))

    assert examine_methods(plan_with("npo")).found == "1, 1 of them tried now"
    assert examine_methods(plan_with("npo")).found == "1, 0 of them tried now"
    plan = plan_with("kl_min")
    write = request.getfixturevalue("file_of_a_method")  # from here on, only its files exist
    write("my_last", FILE.format(needs="", body="return step.forget_nll()"))
    broken = [replace(job, method=registry.build("my_last", {})) for job in plan.unlearn]
    with pytest.raises(MethodError, match="the loss is not a scalar"):
        examine_methods(replace(plan, unlearn=tuple(broken)))
