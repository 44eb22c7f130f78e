"""From CLEAR's tables to records and splits: what the sets hold."""

import copy

import pytest

from kit.benchmarks import load, names
from kit.benchmarks.clear import PROTOCOL
from kit.benchmarks.clear.records import CAPTION_QUESTIONS, NAME_QUESTION, caption_question
from kit.benchmarks.records import Column, Concept
from tests.toys.clear import PEOPLE, general, manifest, picture, unpacked, write, write_shards

pytest_plugins = ["tests.toys.clear_fixtures"]

TARGETS = ("text", "visual", "multimodal")


@pytest.fixture
def benchmark(read, configs):
    return read(configs)


def test_an_image_row_becomes_a_caption_and_a_name_with_the_perturbations(benchmark):
    caption = benchmark.records["clear/forget10/1#caption"]
    assert (caption.concept, caption.answer) == (Concept.FACT, "Eve Epsilon in place 1.")
    assert caption.paraphrase == "In a place: Eve Epsilon in place 1."
    assert caption.candidates == (
        "Eve Epsilon in place 1, sad.",
        "Eve Epsilon in place 1, old.",
    )
    name = benchmark.records["clear/forget10/1#name"]
    assert (name.concept, name.question) == (Concept.PERSON, NAME_QUESTION)
    assert (name.answer, name.candidates) == ("Eve Epsilon", ("Zed Zeta", "Yan Ypsilon"))
    assert name.paraphrase == ""
    assert name.image == caption.image
    assert name.image.is_file()
    assert caption.person == name.person == "Eve Epsilon"


def test_a_text_row_has_no_image_and_belongs_to_whom_it_names(benchmark):
    asked = [r for name, r in benchmark.records.items() if name.endswith("#qa")]
    assert len(asked) == 10
    assert all(record.image is None and not record.candidates for record in asked)
    assert {record.concept for record in asked} == {Concept.FACT}
    assert [record.person for record in asked] == ["Eve Epsilon"] * 2 + [
        name for name in PEOPLE[:4] for _ in range(2)
    ]


def test_the_name_column_of_a_text_row_wins_and_without_any_name_it_stands_alone(read, configs):
    rows = configs["retain90+tofu"]
    rows[-1]["name"] = "Somebody Else"
    rows[-2]["question"] = "Where is she?"
    found = read(configs).records
    assert found["clear/retain90+tofu/15#qa"].person == "Somebody Else"
    assert found["clear/retain90+tofu/14#qa"].person == ""


def test_the_longest_name_decides_whom_a_text_row_is_about(read, configs):
    for config in ("full", "retain90", "retain95"):
        configs[config][0] |= {"name": "Dee", "caption": "Dee in place 0."}
    rows = configs["retain90+tofu"]
    rows[-1] |= {"question": "Who is Dee Delta?", "answer": "A writer."}
    rows[-2] |= {"question": "Is it Deedee?", "answer": "Yes."}
    configs["retain_perturbed"] = configs["retain_perturbed"][2:]
    found = read(configs).records
    assert found["clear/retain90+tofu/15#qa"].person == "Dee Delta"
    assert found["clear/retain90+tofu/14#qa"].person == "", "a part of a word is no name"


@pytest.mark.parametrize(
    ("target", "kinds"),
    [("text", {"qa"}), ("visual", {"caption", "name"}), ("multimodal", {"qa", "caption", "name"})],
)
def test_a_target_decides_what_unlearning_sees_and_nothing_else(benchmark, target, kinds):
    split = benchmark.splits[target]
    assert {name.rpartition("#")[2] for name in split.forget} == kinds
    assert {benchmark.records[name].person for name in split.forget} == {"Eve Epsilon"}
    other = benchmark.splits["multimodal"]
    assert split.evaluation == other.evaluation
    assert split.retain == other.retain
    kept = {benchmark.records[name].person for name in split.retain}
    assert kept == set(PEOPLE[:4])


def test_the_vanilla_model_learns_both_sides_and_nothing_of_what_is_measured_beside(benchmark):
    split = benchmark.splits["multimodal"]
    assert set(benchmark.finetune) == {*split.forget, *split.retain}
    assert len(benchmark.finetune) == len(set(benchmark.finetune)) == 5 * (2 + 2 + 2)


@pytest.mark.parametrize("target", TARGETS)
def test_each_printed_column_holds_the_records_that_it_is_for(benchmark, target):
    split = benchmark.splits[target]
    assert set(split.evaluation) == set(PROTOCOL.targets[target].columns)
    for (part, column), ids in split.evaluation.items():
        assert ids, (part, column)
        found = [benchmark.records[name] for name in ids]
        prefix = {
            Column.EFFICACY: "clear/forget10",
            Column.RETAIN: "clear/retain90+tofu" if part == "qa" else "clear/retain_perturbed",
            Column.REAL: "real_faces",
            Column.WORLD: "real_world",
        }[column]
        assert all(record.id.startswith(prefix) for record in found)
        if column in (Column.EFFICACY, Column.RETAIN):
            assert {record.id.rpartition("#")[2] for record in found} == {part}


def test_every_printed_column_has_a_headline_and_a_heading():
    for layout in PROTOCOL.targets.values():
        assert layout.columns == PROTOCOL.targets["text"].columns
        for part, column in layout.columns:
            assert PROTOCOL.parts[part].headline[column]
            assert PROTOCOL.headings[column].meaning
    assert [target for table in PROTOCOL.tables for target in table.targets] == list(
        PROTOCOL.targets
    )
    assert PROTOCOL.likelihood
    assert "clear" in names()
    assert not [name for name in names() if name.startswith("clear_")]


def test_answer_paraphrase_and_perturbations_answer_one_question(benchmark, configs):
    """The released code draws another prompt for each perturbation: it would fail here."""
    for row in (*configs["forget10_perturbed"], *configs["retain_perturbed"]):
        texts = {row["caption"], row["paraphrased_caption"], *row["perturbed_captions"]}
        holders = [
            record
            for record in benchmark.records.values()
            if texts & {record.answer, record.paraphrase, *record.candidates}
        ]
        compared = [record for record in holders if record.candidates]
        assert len(compared) == 1, "the likelihoods to be compared stand in one record"
        only = compared[0]
        assert {only.answer, only.paraphrase, *only.candidates} == texts
        assert not texts & {only.question}
        assert all(question not in text for text in texts for question in CAPTION_QUESTIONS)
        assert {record.question for record in holders} == {only.question}


def test_caption_prompts_vary_and_are_functions_of_what_is_asked(benchmark, read, configs):
    drawn = [caption_question("Ann", f"caption {i}") for i in range(200)]
    assert set(drawn) == set(CAPTION_QUESTIONS)
    assert max(map(drawn.count, CAPTION_QUESTIONS)) < 100
    assert drawn == [caption_question("Ann", f"caption {i}") for i in range(200)]
    assert read(configs) == benchmark


def test_a_caption_has_the_same_prompt_on_both_sides_of_retain(benchmark):
    learnt = benchmark.records["clear/retain90/0#caption"]
    measured = benchmark.records["clear/retain_perturbed/0#caption"]
    assert learnt.answer == measured.answer
    assert (learnt.question, learnt.image) == (measured.question, measured.image)


def test_without_perturbations_retain_is_measured_on_the_retain_rows(read, configs):
    del configs["retain_perturbed"]
    split = read(configs).splits["text"]
    assert len(split.evaluation["caption", Column.RETAIN]) == 8
    assert split.evaluation["name", Column.RETAIN][0].startswith("clear/retain90/")


def test_columns_are_limited_by_one_draw_that_grows(read, configs):
    for i in range(60):
        configs["real_world"].append(configs["real_world"][0] | {"image": picture(f"x{i:02d}")})
    found = read(configs, split={"max_per_column": 51}).splits
    drawn = {target: found[target].evaluation["qa", Column.WORLD] for target in TARGETS}
    assert len(set(drawn.values())) == 1
    assert len(set(drawn["text"])) == 51
    assert drawn["text"] == found["text"].evaluation["caption", Column.WORLD]
    other = read(configs, split={"max_per_column": 51, "seed": 2}).splits["text"]
    assert other.evaluation["qa", Column.WORLD] != drawn["text"]


def test_another_published_percentage_reads_other_configurations(read, configs):
    found = read(configs, split={"forget_percent": 5})
    assert "clear/forget05/0#caption" in found.records
    assert not any("forget10" in name for name in found.records)


def test_a_nameless_row_has_a_caption_and_no_name_and_is_nobodys(read, configs):
    for config in ("full", "retain90"):
        configs[config][0]["name"] = None
    configs["retain_perturbed"] = configs["retain_perturbed"][2:]
    found = read(configs).records
    assert found["clear/retain90/0#caption"].person == ""
    assert "clear/retain90/0#name" not in found
    assert "clear/retain90/1#name" in found


def test_doubled_rows_count_once_and_the_first_stays(read, configs, benchmark):
    for config in ("full", "forget10", "forget10+tofu", "forget10_perturbed"):
        configs[config] = [*configs[config], copy.deepcopy(configs[config][-1])]
    assert read(configs) == benchmark


def test_one_row_without_perturbation_is_measured_without_truth_ratio(read, configs):
    configs["forget10_perturbed"] = configs["forget10_perturbed"][:1]
    found = read(configs).records["clear/forget10/1#caption"]
    assert (found.candidates, found.paraphrase) == ((), "")
    assert found.answer == "Eve Epsilon in place 1."


def test_rows_of_one_name_and_caption_are_paired_in_their_order(read, configs):
    for config in ("full", "forget10", "forget10_perturbed"):
        for row in configs[config][-2:]:
            row["caption"] = "The same."
    for number, row in enumerate(configs["forget10_perturbed"]):
        row["paraphrased_caption"] = f"paraphrase {number}"
    found = read(configs).records
    assert [found[f"clear/forget10/{i}#caption"].paraphrase for i in (0, 1)] == [
        "paraphrase 0",
        "paraphrase 1",
    ]


def test_the_answer_is_no_candidate_and_a_candidate_counts_once(read, configs):
    texts = ["EVE EPSILON, in place 0", "b", "B.", "a"]
    configs["forget10_perturbed"][0]["perturbed_captions"] = texts
    assert read(configs).records["clear/forget10/0#caption"].candidates == ("b", "a")


def test_a_configuration_in_several_files_is_read_in_their_order(tmp_path, configs, benchmark):
    root = tmp_path / "shards"
    write(root, {k: v for k, v in configs.items() if k != "retain90"})
    write_shards(root / "retain90", [configs["retain90"][:3], configs["retain90"][3:]])
    found = load(manifest(), {"clear": unpacked(root, {})})
    assert found.finetune == benchmark.finetune
    for name in found.finetune:
        mine, other = found.records[name], benchmark.records[name]
        assert (mine.answer, mine.image and mine.image.name) == (
            other.answer,
            other.image and other.image.name,
        )


def test_rehearsal_reads_the_general_rows(read, configs):
    found = read(configs | {"general": general()}, finetune={"rehearsal": 0.25})
    assert found.rehearsal == (
        "clear/general/0#caption",
        "clear/general/0#name",
        "clear/general/1#qa",
        "clear/general/2#qa",
    )
    assert found.records["clear/general/1#qa"].image is None
    assert found.records["clear/general/2#qa"].image.read_bytes() == picture("g1")["bytes"]
    assert not set(found.rehearsal) & set(found.finetune)


def test_general_rows_are_not_read_where_nothing_is_rehearsed(read, configs):
    found = read(configs | {"general": general()})
    assert found.rehearsal == ()
    assert not any("general" in name for name in found.records)
