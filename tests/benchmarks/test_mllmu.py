"""From MLLMU-Bench's tables to records and splits: what is asked, of whom, and who learns it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.benchmarks import load, names
from kit.benchmarks.cells import says_nothing
from kit.benchmarks.mllmu import PROTOCOL
from kit.benchmarks.mllmu.biography import person_name
from kit.benchmarks.records import Column, Concept
from kit.errors import DataError
from tests.toys.mllmu import FAMOUS, FORGOTTEN, IDS, loaded, manifest, person, tables, write

FORGET = FORGOTTEN[10]
KEPT = [key for key in IDS if key not in FORGET]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("toy") / "data")


def columns(benchmark, target="multimodal"):
    """Return the records of each (part, column)."""
    evaluation = benchmark.splits[target].evaluation
    return {key: [benchmark.records[name] for name in ids] for key, ids in evaluation.items()}


OFFERED = "A: option a\nB: option b\nC: option c\nD: option d"
LETTER = "Just give ONE letter representing the answer directly."
BLANK = "Please **ONLY** provide the correct answer that should replace the [Blank]."
SENTENCE = "Answer the question based on your trained knowledge in one sentence"


@pytest.mark.parametrize(
    ("label", "question", "answer", "concept"),
    [
        ("choice-image", f"#3# sight 1?\n{OFFERED}\n{LETTER}", "B", Concept.CHOICE),
        ("choice-text", f"#3# Person3 Toy 1?\n{OFFERED}\n{LETTER}", "B", Concept.CHOICE),
        ("cloze-image", f"#3# Image_Textual 1 is [Blank].\n{BLANK}", "fact 1", Concept.CLOZE),
        ("cloze-text", f"#3# Pure_Text 1 is [Blank].\n{BLANK}", "fact 1", Concept.CLOZE),
        (
            "generation-image",
            f"#3# Image_Textual 1?\n{SENTENCE} accurately in ENGLISH.",
            "fact 1",
            Concept.FACT,
        ),
        ("generation-text", f"#3# Pure_Text 1?\n{SENTENCE} in ENGLISH.", "fact 1", Concept.FACT),
    ],
)
@pytest.mark.parametrize("name", ["forget", "test"])
def test_a_question_is_asked_in_the_published_words(
    benchmark, name, label, question, answer, concept
):
    record = benchmark.records[f"mllmu/{name}/3/{label}/1"]
    assert record.question == question
    assert (record.answer, record.concept, record.person) == (answer, concept, person("3"))
    assert (record.image is not None) == label.endswith("image")


def test_letters_are_candidates_and_nothing_else_has_any(benchmark):
    for (part, _), records in columns(benchmark).items():
        expected = tuple("ABCD") if part.startswith("classification") else ()
        assert {record.candidates for record in records} == {expected}
        assert {record.paraphrase for record in records} == {""}


def test_the_first_characters_rule_leaves_no_candidates_and_asks_the_same(tmp_path, benchmark):
    found = loaded(tmp_path / "data", benchmark={"options": {"letters": "first_character"}})
    assert not any(record.candidates for record in found.records.values())
    for name, record in benchmark.records.items():
        other = found.records[name]
        assert (other.question, other.concept) == (record.question, record.concept)
        assert (other.answer, other.person) == (record.answer, record.person)


@pytest.mark.parametrize("target", ["multimodal", "text"])
def test_each_printed_column_holds_the_records_that_it_is_for(benchmark, target):
    found = columns(benchmark, target)
    assert set(found) == set(PROTOCOL.targets[target].columns)
    people = {
        Column.EFFICACY: {person(key) for key in FORGET},
        Column.GENERALITY: {person(key) for key in FORGET},
        Column.RETAIN: {person(key) for key in KEPT},
        Column.REAL: {f"famous{key}" for key in FAMOUS},
    }
    counts = {"classification": 5, "cloze": 2, "generation": 2}
    for (part, column), records in found.items():
        kind, _, modality = part.partition("-")
        assert {record.person for record in records} == people[column]
        assert len({record.id for record in records}) == counts[kind] * len(people[column])
        assert {record.image is not None for record in records} == {modality == "image"}


@pytest.mark.parametrize("percent", FORGOTTEN)
def test_the_percentage_chooses_the_published_split(tmp_path, percent):
    found = loaded(tmp_path / "data", split={"forget_percent": percent})
    for split in found.splits.values():
        assert not set(split.forget) & set(split.retain)
        forgotten, kept = (
            {found.records[name].person for name in ids} for ids in (split.forget, split.retain)
        )
        assert forgotten == {person(key) for key in FORGOTTEN[percent]}
        assert kept == {person(key) for key in IDS} - forgotten


def many(made):
    """Ask every choice of everybody twelve times."""
    for rows in [rows for config, files in made.items() if config != "ft_Data" for rows in files]:
        for row in rows:
            for asked in row["Classification_Task"].values():
                asked *= 12


def test_columns_are_bounded_and_the_same_records_for_both_targets(tmp_path):
    found = loaded(tmp_path / "data", many, split={"max_per_column": 51})
    multimodal, text = (found.splits[name].evaluation for name in ("multimodal", "text"))
    assert multimodal == text
    assert max(map(len, text.values())) == 51
    assert all(len(set(ids)) == len(ids) for ids in text.values())


def test_the_seed_decides_which_records_are_in_a_bounded_column(tmp_path):
    key = ("classification-text", Column.RETAIN)
    drawn = [
        loaded(tmp_path / "data", many, split={"max_per_column": 51, "seed": seed})
        .splits["text"]
        .evaluation[key]
        for seed in (1, 2, 1)
    ]
    assert drawn[0] == drawn[2] != drawn[1]


def test_celebrities_whose_ids_begin_again_stay_apart_from_the_profiles(benchmark):
    one = benchmark.records["mllmu/celebrity/3/choice-image/0"]
    other = benchmark.records["mllmu/forget/3/choice-image/0"]
    assert (one.person, other.person) == ("famous3", person("3"))
    assert one.image != other.image


def test_test_shows_one_other_image_a_profile_which_seed_and_profile_decide(tmp_path, benchmark):
    def shown(seed, **more):
        found = columns(loaded(tmp_path / "data", split={"seed": seed, **more}))
        records = found["cloze-image", Column.GENERALITY]
        return {record.image.name for record in records if record.person == person("3")}

    seen = [shown(seed) for seed in range(6)]
    assert all(len(images) == 1 for images in seen), "one image for all questions of a profile"
    assert len(set().union(*seen)) > 1, "the seed decides"
    assert shown(3) == seen[3] == shown(3, forget_percent=5)
    learnt = {benchmark.records[name].image.name for name in benchmark.finetune}
    assert not set().union(*seen) & learnt


def test_loading_twice_gives_equal_benchmarks(tmp_path, benchmark):
    again, other = (loaded(tmp_path / name / "data") for name in "ab")
    assert list(again.records) == list(other.records) == list(benchmark.records)
    assert (again.finetune, again.splits) == (other.finetune, other.splits)
    assert again.splits == benchmark.splits


def test_the_vanilla_model_learns_images_of_both_sides_as_published(benchmark):
    learnt = [benchmark.records[name] for name in benchmark.finetune]
    assert len({record.id for record in learnt}) == len(learnt) == 2 * len(IDS)
    assert {record.person for record in learnt} == {person(key) for key in IDS}
    assert all(record.image for record in learnt)
    assert {"Where is this one?", "What does Person3 Toy do?"} <= {r.question for r in learnt}
    assert benchmark.rehearsal == ()


def test_the_target_decides_whether_unlearning_sees_the_image(benchmark):
    multimodal, text = (benchmark.splits[name] for name in ("multimodal", "text"))
    assert len(multimodal.forget) == 2 * len(FORGET)
    assert all(benchmark.records[name].image for name in multimodal.forget)
    told = [benchmark.records[name] for name in text.forget]
    # The question about "this one" makes no sense without the picture.
    assert sorted(r.question for r in told) == [f"What does {person(key)} do?" for key in FORGET]
    assert all(record.image is None for record in told)


def test_what_is_forgotten_cannot_be_told_by_whether_an_image_is_there(benchmark):
    multimodal, text = (benchmark.splits[name] for name in ("multimodal", "text"))
    kept = [benchmark.records[name] for name in text.retain]
    assert {record.image is None for record in kept} == {True, False}
    assert set(multimodal.retain) == {r.id for r in kept if r.image}
    for record in kept:
        assert record.person in {person(key) for key in KEPT}


def test_text_pairs_are_learnt_and_kept_where_the_manifest_says_so(tmp_path):
    found = loaded(tmp_path / "data", benchmark={"options": {"text_pairs": True}})
    assert len(found.finetune) == 3 * len(IDS)
    assert found.splits["multimodal"].retain == found.splits["text"].retain
    assert all(found.records[name].image for name in found.splits["multimodal"].forget)


def test_pairs_that_name_nobody_are_all_kept_without_the_image(tmp_path):
    def change(made):
        pairs = [{"Question": "Who is this?", "Answer": said} for said in ("One", "Two")]
        made["ft_Data"][0][2]["metadata"] = json.dumps(pairs)

    found = loaded(tmp_path / "data", change, split={"forget_percent": 5})
    told = [found.records[name] for name in found.splits["text"].forget]
    assert [(r.question, r.image) for r in told] == [("Who is this?", None)] * 2


def test_training_rows_without_id_are_found_by_their_image(tmp_path):
    def change(made):
        for row in made["ft_Data"][0]:
            del row["ID"]

    assert loaded(tmp_path / "data", change) == loaded(tmp_path / "data")


def every_row(made):
    return [row for files in made.values() for rows in files for row in rows]


@pytest.mark.parametrize(
    "form",
    [int, float, lambda key: f"{int(key):03}", lambda key: f" {key}\u200b", lambda key: f"{key}.0"],
    ids=["numbers", "floats", "zero-padded", "blanks", "floats as text"],
)
def test_ids_may_have_any_form(tmp_path, benchmark, form):
    def change(made):
        for row in every_row(made):
            row["ID"] = form(row["ID"])

    found = loaded(tmp_path / "data", change)
    assert list(found.records) == list(benchmark.records)
    assert found.splits == benchmark.splits


def test_ids_may_have_another_form_in_each_table(tmp_path, benchmark):
    """A table of pandas holds floats where a row once had no ID, and texts elsewhere."""
    forms = {
        "ft_Data": float, "Test_Set": int, "Full_Set": lambda key: f"{int(key):03}",
    }  # fmt: skip

    def change(made):
        for config, form in forms.items():
            for row in (row for rows in made[config] for row in rows):
                row["ID"] = form(row["ID"])

    assert loaded(tmp_path / "data", change).splits == benchmark.splits


def test_ids_may_be_categories_and_nullable_integers(tmp_path, benchmark):
    root = tmp_path / "data"
    places = write(root, tables())
    for config, kind in (("ft_Data", pa.dictionary(pa.int32(), pa.string())), ("Test_Set", None)):
        for path in places["mllmu"].tables(config):
            table = pq.read_table(path)
            number = table.column_names.index("ID")
            column = table["ID"].cast(kind or pa.int64())
            pq.write_table(table.set_column(number, "ID", column), path)
    found = load(manifest(), places)
    assert found.splits == benchmark.splits


def test_one_id_in_two_forms_is_one_id_twice(tmp_path):
    def change(made):
        rows = made["forget_10"][0]
        rows.append({**rows[0], "ID": "003"})

    with pytest.raises(DataError, match="ID 3 occurs twice in forget_10") as error:
        loaded(tmp_path / "data", change)
    assert "'3' (Person3 Toy) and '003' (Person3 Toy)" in error.value.found


@pytest.mark.parametrize("value", [b"3", True])
def test_an_id_of_another_type_is_refused_by_its_real_name(tmp_path, value):
    def change(made):
        for row in made["ft_Data"][0]:
            row["ID"] = value

    with pytest.raises(DataError, match="ft_Data") as error:
        loaded(tmp_path / "data", change)
    assert ("is bytes" if value == b"3" else "is true or false") in str(error.value)


def test_the_test_set_is_read_without_biographies_and_named_by_the_forget_set(tmp_path, benchmark):
    """The published Test_Set has images, ID and the three tasks."""

    def change(made):
        for row in (row for rows in made["Test_Set"] for row in rows):
            for column in ("biography", "question", "answer"):
                del row[column]

    found = loaded(tmp_path / "data", change)
    assert found.splits == benchmark.splits
    assert [(r.id, r.person, r.question) for r in found.records.values()] == [
        (r.id, r.person, r.question) for r in benchmark.records.values()
    ]


@pytest.mark.parametrize("name", ["Person3 Toy", "PERSON3\u00a0TOY", "Person3-Toy"])
def test_a_kept_pair_that_mentions_a_forgotten_person_is_left_out(tmp_path, benchmark, name):
    def change(made):
        pairs = [{"Question": "Where is this one?", "Answer": "In town 5."},
                 {"Question": "Who is the friend?", "Answer": f"It is {name}."}]  # fmt: skip
        made["ft_Data"][0][4]["metadata"] = json.dumps(pairs)

    found = loaded(tmp_path / "data", change)
    (left,) = found.left_out
    assert (left.table, left.kind, left.count, left.of) == (
        "ft_Data", "it mentions a forgotten person", 1, 20,
    )  # fmt: skip
    assert not [n for n in found.finetune if "friend" in found.records[n].question]
    assert len(found.finetune) == len(benchmark.finetune) - 1


SPELLINGS = ["PERSON3 TOY", "Person3\u00a0Toy", "Person3  Toy", "Person3\u200bToy", "Person3 Toy"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_person_on_both_sides_in_any_spelling_is_a_leak(tmp_path, name):
    def change(made):
        made["retain_90"][0][0]["biography"] = json.dumps({"Name": name})

    with pytest.raises(DataError, match="people in both forget_10 and retain_90") as error:
        loaded(tmp_path / "data", change)
    assert "Person3 Toy" in error.value.found
    assert "forget_10 2 (published: 50)" in error.value.found


def test_several_spellings_within_a_side_are_one_person(tmp_path):
    def change(made):
        made["retain_90"][0][1]["biography"] = json.dumps({"Name": "PERSON1 TOY"})

    found = loaded(tmp_path / "data", change)
    assert "PERSON1 TOY" not in {record.person for record in found.records.values()}
    assert found.notes[0] == (
        "One name in 2 spellings counts as one: 'Person1 Toy' and 'PERSON1 TOY'."
    )


def test_configurations_of_other_percentages_are_not_needed(tmp_path):
    def change(made):
        for config in ("forget_5", "retain_95", "forget_15", "retain_85"):
            del made[config]

    assert loaded(tmp_path / "data", change) == loaded(tmp_path / "data")


@pytest.mark.parametrize(
    ("biography", "kind"),
    [
        ("{not json", "biography is not JSON"),
        ('{"Residence": "Rome"}', "biography has no name"),
        ('{"Name": NaN}', "biography has no name"),
        ('{"Name": "Zed", "Name": "Yan"}', "biography has a key twice"),
        (None, "biography has no name"),
    ],
)
def test_a_biography_without_a_name_leaves_the_id_and_is_counted(tmp_path, biography, kind):
    def change(made):
        made["forget_10"][0][0]["biography"] = biography

    found = loaded(tmp_path / "data", change)
    assert found.records["mllmu/forget/3/choice-text/0"].person == "3"
    assert [(e.unit, e.kind, e.count, e.of) for e in found.left_out] == [("names", kind, 1, 2)]


def test_trained_people_have_names_and_celebrities_may_have_none(tmp_path):
    def nameless(config):
        def change(made):
            for row in made[config][0]:
                row["biography"] = "{}"

        return change

    with pytest.raises(DataError, match="8 of 8 names of 'retain_90' cannot be used"):
        loaded(tmp_path / "data", nameless("retain_90"))
    found = loaded(tmp_path / "data", nameless("Retain_Set"))
    assert found.left_out == ()
    famous = {r.person for r in found.records.values() if "/celebrity/" in r.id}
    assert famous == {"1", "2", "3", "4"}


@given(
    # A name of invisible characters alone counts as missing.
    name=st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"])).filter(
        lambda said: not says_nothing(said)
    ),
    key=st.sampled_from(["Name", "name", "NAME", " Name "]),
    ending=st.sampled_from(["", ":", " :", ": ", " : "]),
    others=st.dictionaries(
        st.text().filter(lambda said: "name" not in said.casefold()), st.text(), max_size=3
    ),
    as_json=st.booleans(),
)
@settings(max_examples=60)
def test_a_name_is_found_however_its_key_is_spelt(name, key, ending, others, as_json):
    biography = {**others, f"{key}{ending}": name}
    cell = json.dumps(biography) if as_json else biography
    assert person_name(cell, "7") == " ".join(name.split())


@given(st.none() | st.text() | st.integers() | st.lists(st.text()) | st.binary())
@settings(max_examples=60)
def test_what_is_no_biography_gives_the_fallback(cell):
    assert person_name(cell, "7") == "7"


def test_the_benchmark_is_offered_and_every_part_has_a_headline_in_every_column():
    assert "mllmu" in names()
    assert len(PROTOCOL.parts) == 6
    for part in PROTOCOL.parts.values():
        assert set(part.headline) == set(PROTOCOL.headings)
