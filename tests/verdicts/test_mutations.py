"""Every method is watched: whoever answers like another, or like nobody, loses a claim about it.

The rule is applied to the stored answers of the committed reference: Vanilla's answers, empty
answers, one repeated word, and the answers of methods of another kind, in the place of each method
for each target.
"""

import pytest

from kit.artifacts import PROJECT
from kit.experiment.claims import ClaimSection
from kit.metrics.rows import measure
from tests.toys.mutants import (
    BROKEN,
    KINDS,
    mutate,
    mutations,
    read_measured,
    replacements,
    table,
    with_broken,
)
from tests.toys.results import PROTOCOL, toy_inputs

REFERENCE = PROJECT / "manifests" / "reference" / "smoke"
# Ascent without a stop is claimed to be broken, and so are these. How its answers are broken varies
# from seed to seed, so no claim says it.
BROKEN_TOO = {*BROKEN, "prompt"}
# What these leave of the people differs between seeds as much as from some forms of ascent.
WEIGHED = ("wga", "satimp")
LIKE_NPO = ("npo", "simnpo", *WEIGHED)
ASCENT = ("ga", "gd", "kl", *LIKE_NPO)
LIKE_ASCENT = {
    "altpo": WEIGHED, "rmu": LIKE_NPO, "mip-editor": LIKE_NPO,
    "mmunlearner": ASCENT, "manu": ASCENT,
}  # fmt: skip
FORGETS = {
    "id": "C1", "text": "t", "kind": "bound", "target": "person", "part": "person",
    "column": "efficacy", "metric": "forget_rate/1", "system": "npo", "at_least": 0.5,
    "unit": "record",
}  # fmt: skip
KEEPS = {**FORGETS, "id": "C2", "column": "retain", "metric": "name_hit/1", "at_least": 0.3}


@pytest.mark.slow
def test_on_the_reference_every_mutation_of_every_method_and_target_loses_a_claim():
    stored, measured = read_measured(REFERENCE)
    found = list(mutations(stored.claims, measured, stored.seed))
    lines = list(table(found))
    print("\n".join(lines))
    assert len(found) > 400
    missed = {(each.entry, each.by) for each in found if not each.lost}
    allowed = {("ga-ungoverned", by) for by in BROKEN_TOO}
    allowed |= {(entry, by) for entry, others in LIKE_ASCENT.items() for by in others}
    assert missed <= allowed, "\n".join(lines)


@pytest.fixture(scope="module")
def measured():
    inputs = toy_inputs()
    return with_broken(measure(**inputs, protocol=PROTOCOL), inputs["records"])


def judged(claims, measured):
    sections = [ClaimSection.model_validate(claim) for claim in claims]
    return list(mutations(sections, measured, 0))


def test_a_mutant_has_the_answers_and_the_values_of_the_other(measured):
    mutant = mutate(measured, "person-npo-s1", "vanilla")
    (group,) = [g for g in measured.groups
                if (g.target, g.part, g.column) == ("person", "person", "efficacy")]  # fmt: skip
    of = {
        name: mutant.scores.of(name, "forget_rate", group.ids).tolist()
        for name in ("vanilla", "person-npo-s1")
    }
    assert of["vanilla"] == of["person-npo-s1"]
    assert measured.scores.of("person-npo-s1", "forget_rate", group.ids).tolist() != of["vanilla"]
    texts = mutant.answers.set_index(["system", "record_id"])["text"]
    assert texts["person-npo-s1"].sort_index().equals(texts["vanilla"].sort_index())


def test_a_method_that_no_claim_names_may_do_anything_and_the_table_says_so(measured):
    found = judged([FORGETS], measured)
    of_ga = [each for each in found if (each.entry, each.target) == ("ga", "person")]
    assert of_ga
    assert all(each.naming == 0 and not each.lost for each in of_ga)
    (line,) = [line for line in table(found) if line.startswith("ga ") and "person" in line]
    assert "(empty), (one word), vanilla" in line


def test_forgetting_alone_does_not_notice_collapse_and_sound_forgetting_does(measured):
    def noticed(*claims):
        return {m.by: bool(m.lost) for m in judged(claims, measured)
                if (m.entry, m.target) == ("npo", "person")}  # fmt: skip

    alone, kept = noticed(FORGETS), noticed(FORGETS, KEEPS)
    sound = noticed({**FORGETS, "forgetting": True})
    assert alone["vanilla"]
    assert kept["vanilla"]
    assert sound["vanilla"]
    for broken in BROKEN:
        assert (alone[broken], kept[broken], sound[broken]) == (False, True, True)


def test_methods_of_one_kind_do_not_replace_each_other():
    systems = [
        {"name": f"person-{name}-s1", "target": "person", "method": method, "label": "", "seed": 1}
        for name, method in (("po", "po"), ("dpo", "dpo"), ("npo", "npo"), ("ga", "grad_ascent"))
    ]  # fmt: skip
    assert KINDS["po"] == KINDS["dpo"]
    assert list(replacements(systems, "po", "person", "po")) == [*BROKEN, "vanilla", "npo", "ga"]
