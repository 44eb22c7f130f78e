"""Which records are relearned: shares that grow into each other, and nothing that is asked."""

import itertools
import math
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.attacks import Around
from kit.attacks.relearn_forget import RelearnForget
from kit.attacks.relearn_related import RelearnRelated
from kit.attacks.relearn_unrelated import RelearnUnrelated
from kit.attacks.relearning import Relearning
from kit.benchmarks.records import Benchmark, Concept, Record, Split
from kit.errors import ManifestError
from kit.experiment.attack import AttackEntry, AttackSection
from kit.experiment.manifest import TrainingSection
from kit.experiment.manifest_file import load_manifest
from kit.plan.attack_names import require_attacks
from kit.training.schedule import schedule
from tests.toys.dataset import TOY

LEVELS = (0.01, 0.1, 0.25, 0.5, 0.75, 1.0)


def benchmark(people=8, each=5, rehearsal=("g0", "g1")):
    records = {
        f"p{person}-{view}": Record(f"p{person}-{view}", Concept.PERSON, "Who?", "A", None,
                                    f"Person {person}")
        for person in range(people) for view in range(each)
    }  # fmt: skip
    half = people // 2
    forget = tuple(name for name in records if int(name[1]) < half)
    retain = tuple(name for name in records if int(name[1]) >= half)
    split = Split("person", forget, retain, {})
    return Benchmark("toy", records, (*forget, *retain), {"person": split}, rehearsal)


@pytest.mark.parametrize(
    ("subjects", "sizes"),
    [(False, [math.ceil(level * 20) for level in LEVELS]), (True, [5, 5, 5, 10, 15, 20])],
)
def test_a_higher_share_has_all_records_of_a_lower_one(subjects, sizes):
    """Of 20 records about four people: a share of people has all five of each."""
    toy = benchmark()
    attack = RelearnForget(subjects=subjects)
    sets = [set(attack.records(toy, "person", level)) for level in LEVELS]
    assert [len(each) for each in sets] == sizes
    assert all(low <= high for low, high in itertools.pairwise(sets))
    assert sets[-1] == set(toy.splits["person"].forget)


def test_with_whole_people_nothing_is_asked_about_those_who_were_relearned():
    """Also where a benchmark asks other questions than it trains on."""
    toy = benchmark()
    other = {
        f"asked-{n}": Record(f"asked-{n}", Concept.CHOICE, "Which?", "A", None, f"Person {n}")
        for n in range(4)
    }
    toy = replace(toy, records={**toy.records, **other})
    around, attack = Around(toy, "person", "x"), RelearnForget(subjects=True)
    for level in LEVELS[:-1]:
        learned = {toy.records[name].person for name in attack.records(toy, "person", level)}
        names = [*toy.splits["person"].forget, *other]
        asked = {toy.records[n].person for n in names
                 if attack.applies(toy.records[n], level, around)}  # fmt: skip
        assert asked == {f"Person {n}" for n in range(4)} - learned
    assert all(attack.applies(record, 1.0, around) for record in other.values())


def test_whole_people_are_relearned_one_after_the_other():
    chosen = RelearnForget(subjects=True).records(benchmark(), "person", 0.5)
    people = [name[:2] for name in chosen]
    assert len(set(people[:5])) == 1
    assert len(set(people[5:])) == 1
    spread = RelearnForget().records(benchmark(), "person", 0.5)
    assert len({name[:2] for name in spread}) > 2


def test_nothing_that_was_relearned_is_asked_unless_all_was():
    toy = benchmark()
    around = Around(toy, "person", "x")
    attack = RelearnForget()
    for level in LEVELS[:-1]:
        learned = set(attack.records(toy, "person", level))
        asked = {n for n in toy.splits["person"].forget
                 if attack.applies(toy.records[n], level, around)}  # fmt: skip
        assert asked == set(toy.splits["person"].forget) - learned
    assert all(attack.applies(toy.records[n], 1.0, around) for n in toy.splits["person"].forget), (
        "all were relearned: what is asked shows how fast it is learned"
    )


def test_related_and_unrelated_data_hold_nothing_of_the_forget_set():
    toy = benchmark()
    forget = set(toy.splits["person"].forget)
    assert set(RelearnRelated().records(toy, "person", 1.0)) == set(toy.splits["person"].retain)
    assert set(RelearnUnrelated().records(toy, "person", 1.0)) == {"g0", "g1"}
    assert not forget & set(RelearnRelated().records(toy, "person", 1.0))


def test_a_benchmark_without_general_data_has_no_unrelated_attack():
    with pytest.raises(ManifestError, match="has no data for the attack 'relearn_unrelated'"):
        RelearnUnrelated().records(benchmark(rehearsal=()), "person", 0.5)


def test_options_replace_the_settings_of_unlearning_and_those_left_out_keep_them():
    assert RelearnForget().settings(0.5) == {}
    assert RelearnForget(steps=7).settings(0.5) == {"steps": 7}
    changed = RelearnForget(steps=7, warmup_steps=0, learning_rate=0.1).settings(0.5)
    assert changed == {"steps": 7, "warmup_steps": 0, "learning_rate": 0.1}


def relearning(manifest, options):
    """Return a manifest with one attack, which relearns with these options."""
    entry = AttackEntry(
        name="again", label="Again", attack="relearn_forget", levels=(0.1,), options=options
    )
    return manifest.model_copy(update={"attack": AttackSection(entries=(entry,))})


def test_an_attack_that_would_end_within_its_warm_up_is_refused():
    """The toy's unlearning warms up for 5 steps: 4 steps would end at 4/5 of the rate."""
    manifest = load_manifest(TOY)
    with pytest.raises(ManifestError, match="'again' never reaches its learning rate") as caught:
        require_attacks(relearning(manifest, {"steps": 4}))
    assert caught.value.found == "warmup_steps = 5"
    for options in ({"steps": 5}, {"steps": 4, "warmup_steps": 1}, {"steps": 1, "warmup_steps": 0}):
        assert require_attacks(relearning(manifest, options))


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "manifests").glob("*.toml")), ids=lambda p: p.stem
)
def test_every_relearning_of_a_manifest_reaches_the_learning_rate_that_it_states(path):
    manifest = load_manifest(path)
    shared = manifest.unlearn.model_dump(exclude={"stop", "target_steps"})
    for attack in require_attacks(manifest).values():
        if isinstance(attack, Relearning):
            settings = TrainingSection(**{**shared, **attack.settings(0.1)})
            assert max(schedule(step, settings) for step in range(settings.steps)) == 1
