"""Random labels, LLMU, AltPO and BAO: their formulas, and the records that they are given."""

from dataclasses import replace
from math import exp, inf, log
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.errors import DataError, ManifestError
from kit.methods import Needs, registry
from kit.plan.jobs import make_plan
from kit.training.preparation.random_answers import RandomAnswers
from kit.training.preparation.subject_facts import SubjectFacts
from tests.methods.test_methods import FORGET, OTHERS, RETAIN, gradient, usual
from tests.methods.test_token_losses import LOGITS, REFERENCE, average, kl, retained
from tests.toys.dataset import manifest
from tests.toys.double import differences, doubled, mean_nll_of, walked
from tests.toys.policy import END, A, B, batch_of

torch.set_num_threads(1)
SECOND = ([A], [B, A, END]), ([B], [A, END])
FACTS = ([A], [A, END]), ([B], [A, A, END])
KNOWN = torch.tensor([1.0, 0.0])


def sequence(table, sample):
    return -mean_nll_of(table, sample) * len(sample[1])


def random_labels(table, retain_weight=1.0):
    return average(mean_nll_of(table, one) for one in OTHERS) + retain_weight * retained(table)


def llmu(table, forget_weight=0.5, random_weight=1.0, kl_weight=1.0, answers=1):
    batches = (OTHERS, SECOND)[:answers]
    ascent = -average(mean_nll_of(table, one) for one in FORGET)
    learned = average(mean_nll_of(table, one) for batch in batches for one in batch)
    pairs = [list(zip(walked(REFERENCE, one), walked(table, one), strict=True)) for one in RETAIN]
    near = average(average(kl(old[2], new[2]) for old, new in record) for record in pairs)
    return forget_weight * ascent + random_weight * learned + kl_weight * near


def altpo(table, beta=0.1, retain_weight=1.0):
    def gain(sample):
        return sequence(table, sample) - sequence(REFERENCE, sample)

    margins = [gain(other) - gain(own) for other, own in zip(OTHERS, FORGET, strict=True)]
    forget = average(2 / beta * log(1 + exp(-beta * margin)) for margin in margins)
    return forget + retain_weight * retained(table)


def bao(table, margin=1.0, boundary_weight=0.5, forget_weight=1.0, retain_weight=1.0):
    own, facts = ([mean_nll_of(table, one) for one in batch] for batch in (FORGET, FACTS))
    short = max(0.0, margin - (own[0] - facts[0])) / 2  # the second record has no fact
    return -forget_weight * average(own) + retain_weight * retained(table) + boundary_weight * short


def full(**changed):
    batches = {
        "other": batch_of(*OTHERS), "random_0": batch_of(*OTHERS), "random_1": batch_of(*SECOND),
        "alternate": batch_of(*OTHERS), "subject_fact": batch_of(*FACTS),
        "has_subject_fact": KNOWN,
    }  # fmt: skip
    return usual(**{**batches, **changed})


CASES = [
    (random_labels, {}),
    (random_labels, {"retain_weight": 0.2}),
    (llmu, {"answers": 2}),
    (llmu, {"forget_weight": 2.0, "random_weight": 0.3, "kl_weight": 0.7, "answers": 2}),
    (altpo, {}),
    (altpo, {"beta": 2.0, "retain_weight": 0.2}),
    (bao, {}),
    (bao, {"margin": 3.0, "boundary_weight": 2.0, "forget_weight": 0.5, "retain_weight": 0.1}),
]


@pytest.mark.parametrize(("formula", "options"), CASES)
def test_loss_and_gradient_are_those_of_the_formula(formula, options):
    step = doubled(full())
    loss = registry.build(formula.__name__, options).loss(step)
    assert loss.item() == pytest.approx(formula(LOGITS, **options), abs=1e-6)
    expected = differences(lambda table: formula(table, **options), LOGITS)
    assert expected.abs().max() > 1e-2
    assert torch.allclose(gradient(loss, step.model), expected, atol=1e-6)


def test_llmu_has_one_random_answer_unless_it_is_told_otherwise():
    step = full()
    del step.prepared["random_1"]
    assert registry.build("llmu", {}).loss(step).item() == pytest.approx(llmu(LOGITS), abs=1e-6)


def test_the_boundary_asks_for_nothing_where_the_margin_is_reached():
    """Then only gradient difference is left."""
    pushes = []
    for name, options in (("bao", {"margin": 0.0}), ("grad_diff", {})):
        step = full(subject_fact=batch_of(([B], [END]), ([B], [END])))  # likelier than D_f's
        pushes.append(gradient(registry.build(name, options).loss(step), step.model))
    assert torch.allclose(*pushes, atol=1e-7)


BEYOND = [
    ("random_labels", "retain_weight", -1.0, ">= 0"),
    ("llmu", "answers", 0, ">= 1"),
    ("llmu", "kl_weight", -1.0, ">= 0"),
    ("altpo", "beta", 0.0, "> 0"),
    ("bao", "margin", -1.0, ">= 0"),
    ("bao", "boundary_weight", inf, "a finite number >= 0"),
]


@pytest.mark.parametrize(("name", "option", "value", "allowed"), BEYOND)
def test_a_value_beyond_its_range_is_refused_and_the_range_is_named(name, option, value, allowed):
    with pytest.raises(ManifestError) as caught:
        registry.build(name, {option: value})
    assert allowed in caught.value.expected


def picture(number, person, event, folder="forget"):
    about = {"image": f"{folder}/{number}.png", "person": person, "event": event}
    return [
        Record(f"{number}#person", Concept.PERSON, "Who is this?", person, **about),
        Record(f"{number}#event", Concept.EVENT, "What happens?", f"a {event}", **about),
    ]


def prepared(kind, **given):
    usual = {"seed": 1, "device": "cpu", "method": None, "needs": Needs()}
    return kind(SimpleNamespace(**{**usual, **given}))


# Random answers

RETAINED = [record for n, name in enumerate(["Vera Zeman", "Ivan Kaya", "ada  SATO"])
            for record in picture(n, name, "fair")]  # fmt: skip
ADA = replace(picture(9, "Ada Sato", "regatta")[0])


@given(st.permutations(RETAINED), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31))
def test_random_answers_depend_on_seed_epoch_and_record_alone(retain, size, count, seed):
    drawn = [(replace(ADA, id=str(n)), n % 2) for n in range(4)]
    method = SimpleNamespace(answers=count)
    at_once = prepared(RandomAnswers, retain=RETAINED, seed=seed, method=method).records(drawn)
    other = prepared(RandomAnswers, retain=retain, seed=seed, method=method)
    assert sorted(at_once) == [f"random_{k}" for k in range(count)]
    for name, records in at_once.items():
        parts = [other.records(drawn[i : i + size])[name] for i in range(0, 4, size)]
        assert [record for part in parts for record in part] == records


def test_random_answers_differ_and_are_never_the_own_one():
    method = SimpleNamespace(answers=3)
    found = prepared(RandomAnswers, retain=RETAINED, method=method).records([(ADA, 0)])
    said = {records[0].answer for records in found.values()}
    assert said == {"Vera Zeman", "Ivan Kaya", "a fair"}
    assert all(records[0].question == ADA.question for records in found.values())


def test_too_few_answers_to_draw_from_are_told_before_training():
    with pytest.raises(DataError, match="lower `answers`"):
        prepared(RandomAnswers, retain=RETAINED, method=SimpleNamespace(answers=4))


# Facts of the same subject

HARBOUR, FAIR = picture(1, "Ada Sato", "harbour"), picture(2, "Ada Sato", "fair")
TESTED = picture(3, "Ada Sato", "regatta", "tested")
OF_ANOTHER = picture(4, "Ivan Kaya", "harbour", "other")
LEARNED = (*HARBOUR, *FAIR, *TESTED, *OF_ANOTHER)


def facts(forget, learned=LEARNED):
    """Return the facts that each forget record is given in 20 epochs, and which have any."""
    made = prepared(SubjectFacts, forget=tuple(forget), learned=tuple(learned))
    given = [
        made.records([(record, epoch) for epoch in range(20)])["subject_fact"] for record in forget
    ]
    known = made.values({"forget": forget})["has_subject_fact"].tolist()
    return [" ".join(sorted({fact.id for fact in each})) for each in given], known


def test_a_forgotten_persons_fact_is_the_event_of_the_same_image():
    assert facts([HARBOUR[0], FAIR[0]]) == (["1#event", "2#event"], [1.0, 1.0])


def test_a_forgotten_events_fact_is_the_person_in_the_same_image():
    assert facts([HARBOUR[1]]) == (["1#person"], [1.0])


def test_where_both_are_forgotten_the_fact_is_of_another_forget_image_and_never_of_a_tested_one():
    """The harbour is forgotten as well. Ada keeps the fair, and the harbour keeps no fact."""
    forget = [HARBOUR[0], FAIR[0], HARBOUR[1]]
    assert facts(forget) == (["2#event", "2#event", "1#event"], [1.0, 1.0, 0.0])


def text_pair(number, image=None, person="Ada Sato"):
    return Record(f"{number}", Concept.FACT, f"Q{number}?", f"A{number}", image, person)


def test_a_person_forgotten_in_text_keeps_the_pictures_and_the_other_way_round():
    """CLEAR's targets `text` and `visual`."""
    seen, read = text_pair(1, "1.png"), text_pair(2)
    others = [text_pair(3, person="Ivan Kaya"), text_pair(4, "4.png", "Ivan Kaya")]
    assert facts([read], [seen, read, *others]) == (["1"], [1.0])
    assert facts([seen], [seen, read, *others]) == (["2"], [1.0])


def test_a_target_that_forgets_everything_about_everybody_is_refused():
    with pytest.raises(DataError, match="no other fact"):
        facts([text_pair(1), text_pair(2)], [text_pair(1), text_pair(2), text_pair(3)])


def test_plan_refuses_a_target_without_other_facts(monkeypatch):
    from kit import benchmarks

    given = manifest()
    entry = given.methods[0].model_copy(
        update={"name": "b", "label": "B", "method": "bao", "options": {}, "targets": given.targets}
    )
    changed = given.model_copy(update={"methods": (entry,), "claims": ()})
    assert {job.target for job in make_plan(changed).unlearn} == set(given.targets)
    protocol = benchmarks.protocol(given.benchmark.loader)
    fewer = replace(protocol, kept_facts=frozenset({"person"}))
    monkeypatch.setattr(benchmarks, "protocol", lambda loader: fewer)
    with pytest.raises(ManifestError) as caught:
        make_plan(changed)
    assert "forgets everything" in caught.value.what
    assert caught.value.expected == "targets among person"
    assert "`targets`" in caught.value.remedy


@pytest.mark.parametrize(("loader", "targets"), [
    ("pebench", {"person", "event", "both"}), ("clear", {"text", "visual"}), ("mllmu", {"text"}),
    ("umu", set()), ("offside", set()),
])  # fmt: skip
def test_each_benchmark_says_which_targets_keep_other_facts(loader, targets):
    from kit import benchmarks

    assert benchmarks.protocol(loader).kept_facts == targets
