"""The committed list of what is forgotten: how it is drawn, and that a wrong one is refused."""

import itertools
import json
import shutil
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT
from kit.benchmarks.pebench.events import published
from kit.benchmarks.pebench.ids import (
    COUNTS_BY_PERCENT,
    IDS,
    draw_ids,
    near_duplicates,
    read_ids,
    write_ids,
)
from kit.benchmarks.pebench.splits import forgotten_of
from kit.benchmarks.pebench.table import Picture, read_pictures
from kit.errors import DataError, ManifestError
from kit.experiment.manifest_file import load_manifest
from tests.toys.dataset import EVENTS, HEADER, PEOPLE, loaded, rows, write_table

pytest_plugins = ["tests.toys.pebench_fixtures"]

SMOKE = PROJECT / "manifests" / "smoke.toml"
NAMES = [f"Person {i:03d}" for i in range(200)]
ALL_EVENTS = list(published()["keywords"])
GROUPS = [set(group) for group in near_duplicates()]
TOY_LIST = {
    "people": 6,
    "percent": {"30": {"people": [1, 4], "events": ["Event-2"]}},
}


def pictures(people=NAMES, events=ALL_EVENTS):
    return [
        Picture(f"{name}/{i}.png", IDS, name, event, "a scene", ("a",))
        for name in people
        for i, event in enumerate(events)
    ]


@pytest.fixture(scope="module")
def committed():
    return json.loads(IDS.read_text(encoding="utf-8"))


def test_the_file_is_what_is_drawn(committed, tmp_path):
    assert committed == draw_ids()
    write_ids(tmp_path / "again" / "pebench.json")
    assert (tmp_path / "again" / "pebench.json").read_bytes() == IDS.read_bytes()


def test_another_seed_draws_another_list(committed):
    assert draw_ids(2)["percent"]["5"]["people"] != committed["percent"]["5"]["people"]
    drawn = {tuple(draw_ids(seed)["percent"]["15"]["events"]) for seed in range(5)}
    assert len(drawn) == 5


def test_the_sizes_are_the_shares_that_the_file_names(committed):
    shares = committed["percent"]
    assert list(shares) == ["1", "5", "10", "15"]
    for percent, share in shares.items():
        assert len(set(share["people"])) == len(share["people"]) == 200 * int(percent) // 100
        assert len(share["people"]) == COUNTS_BY_PERCENT[int(percent)][0]
    assert [len(set(share["events"])) for share in shares.values()] == [1, 2, 4, 6]


@pytest.mark.parametrize("seed", range(30))
def test_smaller_shares_are_part_of_larger_ones(seed):
    shares = list(draw_ids(seed)["percent"].values())
    assert [len(share["events"]) for share in shares] == [1, 2, 4, 6]
    for small, large in itertools.pairwise(shares):
        assert set(small["people"]) < set(large["people"])
        assert set(small["events"]) < set(large["events"])


@pytest.mark.parametrize("seed", range(30))
def test_near_duplicates_are_on_one_side_and_labelled(seed):
    for share in draw_ids(seed)["percent"].values():
        forgotten = set(share["events"])
        for group in GROUPS:
            assert group <= forgotten or not group & forgotten
        labelled = [set(group) for group in share["near_duplicates"]]
        assert labelled == [group for group in labelled if group <= forgotten and group in GROUPS]
        assert len(labelled) == sum(group <= forgotten for group in GROUPS)


def test_some_seed_forgets_a_whole_group():
    drawn = [draw_ids(seed)["percent"]["15"]["near_duplicates"] for seed in range(30)]
    assert any(drawn), "the tests of groups would otherwise say nothing"


def test_no_kept_event_shares_four_keywords_with_a_forgotten_one():
    keywords = {name: set(words) for name, words in published()["keywords"].items()}
    for seed in range(30):
        for share in draw_ids(seed)["percent"].values():
            forgotten = set(share["events"])
            for one, two in itertools.product(forgotten, set(keywords) - forgotten):
                assert len(keywords[one] & keywords[two]) < 4, (seed, one, two)


def test_the_published_groups_are_within_the_groups():
    for published_group in published()["near_duplicates"]:
        assert any(set(published_group["events"]) <= group for group in GROUPS)
    assert sum(map(len, GROUPS)) == len(set.union(*GROUPS)), "no event is in two groups"


@pytest.mark.parametrize("percent", COUNTS_BY_PERCENT)
def test_the_list_names_people_by_the_order_of_their_folders(committed, percent):
    found = read_ids(IDS, percent, pictures()[::-1])
    share = committed["percent"][str(percent)]
    assert found.people == {NAMES[index] for index in share["people"]}
    assert found.events == set(share["events"])


def test_the_manifest_of_the_published_data_forgets_what_is_listed(committed):
    published_manifest = load_manifest(SMOKE.with_name("pebench.toml"))
    found = forgotten_of(pictures(), published_manifest)
    assert found.events == set(committed["percent"]["5"]["events"])
    assert len(found.people) == 10
    no_lora = load_manifest(SMOKE.with_name("pebench-no-lora.toml"))  # not served as adapters
    entries = (*published_manifest.methods, *no_lora.methods)
    published = {(m.name, m.method): set(m.targets) for m in entries}
    for small in load_manifest(SMOKE).methods:
        assert set(small.targets) <= published[small.name, small.method], small.name


def test_events_are_found_whatever_their_case_and_hyphens():
    events = [name.title().replace(" ", "_") for name in ALL_EVENTS]
    found = read_ids(IDS, 1, pictures(events=events))
    assert found.events <= set(events)
    assert len(found.events) == 1


def test_groups_that_are_forgotten_whole_are_noted(tmp_path):
    seed = next(s for s in range(30) if draw_ids(s)["percent"]["15"]["near_duplicates"])
    write_ids(tmp_path / "list.json", seed)
    found = read_ids(tmp_path / "list.json", 15, pictures())
    group = draw_ids(seed)["percent"]["15"]["near_duplicates"][0]
    assert found.notes[0] == f"near-duplicate events forgotten together: {', '.join(group)}"


# --- a list that does not fit -----------------------------------------------------------------


def written(path, change):
    document = json.loads(json.dumps(TOY_LIST))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def with_list(root, path, percent=30):
    return loaded(root, split={"ids": str(path), "forget_percent": percent})


def test_a_list_decides_what_is_forgotten_and_nothing_else(root, tmp_path):
    path = written(tmp_path / "list.json", lambda document: None)
    listed, drawn = with_list(root, path), loaded(root)
    assert listed.finetune == drawn.finetune
    records = [listed.records[name] for name in listed.splits["both"].forget]
    assert {r.person for r in records if r.concept == "person"} == {PEOPLE[1], PEOPLE[4]}
    assert {r.event for r in records if r.concept == "event"} == {EVENTS[2]}


@pytest.mark.parametrize(
    ("change", "what", "found"),
    [
        (lambda d: d["percent"]["30"].update(people=[1, 6]), "out of range", 6),
        (lambda d: d["percent"]["30"].update(people=[-1]), "out of range", -1),
        (lambda d: d["percent"]["30"].update(people=[True]), "out of range", True),
        (lambda d: d["percent"]["30"].update(people=["1"]), "out of range", "1"),
        (lambda d: d["percent"]["30"].update(people=[]), "forgets nothing", None),
        (lambda d: d["percent"]["30"].update(people=list(range(6))), "keeps nothing", None),
        (lambda d: d["percent"]["30"].update(events=EVENTS), "keeps nothing", None),
        (lambda d: d["percent"]["30"].update(events=["evnt 2"]), "not in the data", "evnt 2"),
        (lambda d: d["percent"]["30"].update(events=[3]), "not in the data", 3),
        (lambda d: d.update(people=200), "another number of people", 6),
        (lambda d: d.update(people="6"), "malformed", None),
        (lambda d: d.update(percent=[]), "malformed", None),
        (lambda d: d["percent"].update({"30": {"people": [1]}}), "malformed", None),
        (lambda d: d["percent"].update({"31": d["percent"].pop("30")}), "not listed", 30),
    ],
)
def test_a_list_that_does_not_fit_is_refused(root, tmp_path, change, what, found):
    path = written(tmp_path / "list.json", change)
    with pytest.raises(ManifestError, match=what) as caught:
        with_list(root, path)
    assert str(path) in caught.value.what
    assert caught.value.expected
    assert caught.value.remedy
    if found is not None:
        assert caught.value.found == found


def test_one_event_in_two_spellings_is_one_event_of_a_list(root, tmp_path):
    names = [EVENTS[2], f" {EVENTS[2].upper()}", EVENTS[2].replace(" ", "\u00a0")]
    path = written(tmp_path / "list.json", lambda d: d["percent"]["30"].update(events=names))
    plain = written(tmp_path / "plain.json", lambda document: None)
    assert with_list(root, path).splits == with_list(root, plain).splits


def test_a_folder_in_two_unicode_forms_is_one(root, tmp_path):
    """An archive that macOS unpacked has decomposed names."""
    path = written(tmp_path / "list.json", lambda document: None)
    found, _ = read_pictures(root / "PEBench.csv")
    plain = read_ids(path, 30, found).people
    forms = itertools.cycle(["Person Zo\u00eb", "Person Zoe\u0308"])
    named = [replace(p, name=f"images/{next(forms)}/x.png") if p.person == PEOPLE[5] else p
             for p in found]  # fmt: skip
    assert read_ids(path, 30, named).people == plain


def test_a_key_twice_in_a_list_is_refused(root, tmp_path):
    share = json.dumps(TOY_LIST["percent"]["30"])
    (tmp_path / "list.json").write_text(
        f'{{"people": 6, "percent": {{"30": {share}, "30": {share}}}}}', encoding="utf-8"
    )
    with pytest.raises(ManifestError, match="cannot be read") as error:
        with_list(root, tmp_path / "list.json")
    assert "'30' twice" in str(error.value.found)


def test_an_unknown_event_names_the_nearest(root, tmp_path):
    path = written(tmp_path / "list.json", lambda d: d["percent"]["30"].update(events=["evnt 2"]))
    with pytest.raises(ManifestError) as caught:
        with_list(root, path)
    assert "'event 2'" in caught.value.expected


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_a_file_that_is_no_list_is_refused(root, tmp_path, text):
    (tmp_path / "list.json").write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"cannot be read|malformed"):
        with_list(root, tmp_path / "list.json")


def test_a_missing_file_is_refused(root, tmp_path):
    with pytest.raises(ManifestError, match="cannot be read"):
        with_list(root, tmp_path / "list.json")


@pytest.mark.parametrize(
    "row",
    [
        [f"images/{PEOPLE[0]}/x.png", PEOPLE[1], EVENTS[0], "a", "a"],  # a folder of two people
        ["more/Another/x.png", PEOPLE[1], EVENTS[0], "a", "a"],  # a person of two folders
    ],
)
def test_a_list_needs_one_folder_a_person(root, tmp_path, row):
    path = written(tmp_path / "list.json", lambda document: None)
    write_table(root / "PEBench.csv", HEADER, [*rows(), row])
    with pytest.raises(DataError, match="people and folders do not match") as caught:
        with_list(root, path)
    assert PEOPLE[1] in str(caught.value)
    assert loaded(root), "without a list the folders do not matter"


def test_one_person_alone_is_told_that_two_are_needed(root):
    write_table(root / "PEBench.csv", HEADER, [row for row in rows() if row[1] == PEOPLE[0]])
    for other in PEOPLE[1:]:
        shutil.rmtree(root / "images" / other)
    with pytest.raises(ManifestError, match="left to keep: forget people, of 1") as caught:
        loaded(root)
    assert "forget_percent" not in caught.value.remedy, "no share leaves anybody"
    assert "add rows" in caught.value.remedy
