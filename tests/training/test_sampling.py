"""Which records a step sees: functions of names, never of history."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks.records import Concept, Record
from kit.training.preparation.concept_balance import Balanced
from kit.training.preparation.retain import partner
from kit.training.preparation.single_image import single_images
from kit.training.sampling import Mixed, Pool

numbers = st.integers(0, 2**31)


def people(count, concept=Concept.PERSON):
    return tuple(
        Record(f"{concept}-{i}", concept, "?", "!", person=f"P{i % 4}", event=f"E{i % 3}")
        for i in range(count)
    )


def ids(drawn):
    return [record.id for record, _ in drawn]


@given(st.integers(1, 23), numbers, st.integers(0, 4))
@settings(deadline=None)
def test_an_epoch_visits_every_record_once(size, seed, epoch):
    pool = Pool("forget", people(size), seed)
    drawn = [pool.at(epoch * size + position) for position in range(size)]
    assert sorted(ids(drawn)) == sorted(record.id for record in pool.records)
    assert {seen for _, seen in drawn} == {epoch}


@given(st.integers(1, 12), st.integers(1, 9), st.permutations(range(6)), numbers)
@settings(deadline=None)
def test_a_step_depends_on_its_number_alone(size, count, order, seed):
    in_order = [Pool("forget", people(size), seed).take(step, count) for step in range(6)]
    jumping = Pool("forget", people(size), seed)
    assert {step: jumping.take(step, count) for step in order} == dict(enumerate(in_order))


@given(st.integers(1, 12), st.integers(1, 9), numbers)
@settings(deadline=None)
def test_steps_follow_each_other_without_gap_or_overlap(size, count, seed):
    pool = Pool("forget", people(size), seed)
    drawn = [record for step in range(size) for record in ids(pool.take(step, count))]
    assert Counter(drawn) == {record.id: count for record in pool.records}


def test_orders_differ_between_epochs_seeds_and_names():
    records = people(12)
    pools = [Pool("forget", records, 1), Pool("forget", records, 2), Pool("retain", records, 1)]
    orders = [tuple(ids(pool.take(epoch, 12))) for pool in pools for epoch in (0, 1)]
    assert len(set(orders)) == 6


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(0, 5), numbers)
@settings(deadline=None)
def test_a_balanced_step_has_as_many_person_as_event_records(persons, events, half, step, seed):
    records = [*people(persons), *people(events, Concept.EVENT)]
    drawn = Balanced("forget", records, seed).take(step, 2 * half)
    assert Counter(r.concept for r, _ in drawn) == {Concept.PERSON: half, Concept.EVENT: half}


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), numbers)
@settings(deadline=None)
def test_every_part_of_a_balanced_step_is_balanced(persons, events, half, seed):
    """A micro-batch of one concept alone would leave nothing to balance."""
    records = [*people(persons), *people(events, Concept.EVENT)]
    drawn = [record.concept for record, _ in Balanced("forget", records, seed).take(2, 2 * half)]
    assert drawn == [Concept.PERSON, Concept.EVENT] * half


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8), numbers)
@settings(deadline=None)
def test_a_balanced_pool_visits_every_record_of_both_concepts(persons, events, count, seed):
    records = [*people(persons), *people(events, Concept.EVENT)]
    pool = Balanced("forget", records, seed)
    seen = {name for step in range(9) for name in ids(pool.take(step, 2 * count))}
    assert seen == {record.id for record in records}


def test_a_mixed_step_has_its_share_of_the_second_pool_and_the_first_goes_on_without_gap():
    main, second = Pool("retain", people(6), 1), Pool("rehearsal", people(5, Concept.EVENT), 1)
    steps = [Mixed(main, second, 0.25).take(step, 8) for step in range(2)]
    for step in steps:
        assert Counter(r.concept for r, _ in step) == {Concept.PERSON: 6, Concept.EVENT: 2}
    drawn = [name for step in steps for name in ids(step) if name.startswith("person")]
    assert Counter(drawn) == {record.id: 2 for record in main.records}


def test_a_balanced_pool_of_one_concept_is_all_of_it():
    drawn = Balanced("forget", people(4), 1).take(0, 4)
    assert sorted(ids(drawn)) == [record.id for record in people(4)]


def test_a_partner_depends_on_seed_epoch_and_record_only():
    retain, forget = people(50, Concept.EVENT), people(30)
    drawn = [partner(record, 0, retain, 1) for record in forget]
    backwards = [partner(record, 0, retain, 1) for record in reversed(forget)]
    assert drawn == backwards[::-1]
    for other in ({"epoch": 1, "seed": 1}, {"epoch": 0, "seed": 2}):
        assert [partner(record, retain=retain, **other) for record in forget] != drawn
    assert len({record.id for record in drawn}) > 15, "partners are spread over the retain set"


@given(numbers)
@settings(deadline=None)
def test_single_images_are_one_record_of_each_concept_whatever_the_order(seed):
    records = [*people(12), *people(12, Concept.EVENT)]
    kept = single_images(records, seed)
    assert kept == single_images(records[::-1], seed)
    assert [r.person for r in kept if r.concept == Concept.PERSON] == ["P0", "P1", "P2", "P3"]
    assert [r.event for r in kept if r.concept == Concept.EVENT] == ["E0", "E1", "E2"]


def test_another_seed_takes_other_single_images():
    draws = {tuple(r.id for r in single_images(people(24), seed)) for seed in range(8)}
    assert len(draws) > 4
