"""What CLEAR's loader refuses, and what it says: wrong tables, leaks, and splits that are none."""

import pytest

from kit.benchmarks import load
from kit.errors import DataError, ManifestError
from tests.toys.clear import PEOPLE, manifest, perturbed, picture, seen, unpacked, write

pytest_plugins = ["tests.toys.clear_fixtures"]


@pytest.mark.parametrize("percent", [2, 15, 90])
def test_a_percentage_that_is_not_published_lists_those_that_are(read, configs, percent):
    with pytest.raises(ManifestError, match=r"1, 5, 10") as error:
        read(configs, split={"forget_percent": percent})
    assert str(percent) in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        "full", "full+tofu", "forget10", "forget10+tofu", "forget10_perturbed", "retain90",
        "retain90+tofu", "real_faces", "real_world",
    ],
)  # fmt: skip
def test_a_missing_configuration_is_named(read, configs, config):
    del configs[config]
    with pytest.raises(DataError, match="no table of the configuration") as error:
        read(configs)
    assert f"'{config}'" in str(error.value)


@pytest.mark.parametrize(
    ("config", "column"),
    [
        ("full", "image"), ("full", "name"), ("forget10", "caption"), ("retain90+tofu", "question"),
        ("retain90+tofu", "answer"), ("forget10_perturbed", "paraphrased_caption"),
        ("forget10_perturbed", "perturbed_names"), ("retain_perturbed", "perturbed_captions"),
        ("real_faces", "options"), ("real_world", "answer"),
    ],
)  # fmt: skip
def test_a_missing_column_is_named(read, configs, config, column):
    configs[config] = [{k: v for k, v in row.items() if k != column} for row in configs[config]]
    with pytest.raises(DataError, match=f"no column '{column}'"):
        read(configs)


@pytest.mark.parametrize(
    ("config", "column", "value", "told"),
    [
        ("forget10", "caption", None, "non-empty text"),
        ("retain90", "caption", "  ", "non-empty text"),
        ("forget10_perturbed", "paraphrased_caption", None, "non-empty text"),
        ("forget10_perturbed", "perturbed_captions", [], "list of texts"),
        ("forget10_perturbed", "perturbed_captions", None, "list of texts"),
        ("retain_perturbed", "perturbed_names", ["A", ""], "non-empty texts"),
        ("retain_perturbed", "perturbed_names", ["A", None], "non-empty texts"),
        ("real_faces", "question", None, "non-empty text"),
        ("real_world", "answer", "", "non-empty text"),
        ("real_world", "options", ["a cat", "A CAT!"], "besides the answer"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_with_table_row_and_column(
    read, configs, config, column, value, told
):
    configs[config][1][column] = value
    with pytest.raises(DataError) as error:
        read(configs)
    assert f"{config}/train-00000-of-00001.parquet, row 1, column '{column}'" in str(error.value)
    assert told in str(error.value)
    assert "remedy" in str(error.value)


@pytest.mark.parametrize("config", ["forget10", "full", "retain_perturbed", "real_faces"])
def test_a_row_without_its_image_is_named(read, configs, config):
    configs[config][1]["image"] = None
    with pytest.raises(DataError, match=r"row 1, column 'image' is empty"):
        read(configs)


def test_a_text_row_without_an_answer_is_named(read, configs):
    configs["forget10+tofu"][-1]["answer"] = None
    with pytest.raises(DataError, match=r"forget10\+tofu/.*, row 3, column 'answer'"):
        read(configs)


def test_a_tofu_configuration_without_text_rows_is_refused(read, configs):
    configs["forget10+tofu"] = configs["forget10+tofu"][:2]
    configs["forget10+tofu"][0] |= {"question": "", "answer": ""}
    with pytest.raises(DataError, match="has no text row"):
        read(configs)


def test_an_image_of_no_bytes_is_refused_when_it_is_unpacked(tmp_path, configs):
    configs["forget10"][1]["image"] = {"bytes": b"", "path": "x.png"}
    with pytest.raises(DataError, match=r"forget10/train.*row 1"):
        unpacked(tmp_path / "data", configs)


def test_tables_that_were_not_unpacked_are_refused(tmp_path, configs):
    with pytest.raises(DataError, match="not unpacked"):
        load(manifest(), {"clear": write(tmp_path / "data", configs)})


def test_a_person_on_both_sides_is_a_leak(read, configs):
    configs["retain90"].append(seen(PEOPLE[4])[0] | {"caption": "Another caption."})
    with pytest.raises(DataError, match="people in both") as error:
        read(configs)
    assert "Eve Epsilon" in str(error.value)


def test_a_picture_on_both_sides_is_a_leak_even_without_a_name(read, configs):
    configs["retain90"][0] = configs["forget10"][0] | {"name": None}
    with pytest.raises(DataError, match="images of 'forget10' that are also in 'retain90'"):
        read(configs)


def test_a_question_on_both_sides_is_a_leak(read, configs):
    configs["retain90+tofu"][-1] = configs["forget10+tofu"][-1]
    with pytest.raises(DataError, match="text rows of 'forget10' that are also in 'retain90'"):
        read(configs)


def test_a_forgotten_person_in_retain_perturbed_is_a_leak(read, configs):
    configs["retain_perturbed"].append(configs["forget10_perturbed"][0])
    with pytest.raises(DataError, match="people of 'forget10' in 'retain_perturbed'"):
        read(configs)


def test_retention_is_not_measured_on_people_who_were_never_learnt(read, configs):
    configs["retain_perturbed"].append(perturbed(seen("Odd Omega")[0]))
    with pytest.raises(DataError, match="who are not in 'retain90'"):
        read(configs)


def test_forgotten_people_have_to_be_in_the_whole(read, configs):
    for row in configs["full"][-2:]:
        row["name"] = "Eva Epsilon"
    with pytest.raises(DataError, match="not in 'full'"):
        read(configs)


def test_more_nameless_rows_than_one_person_has_are_refused(read, configs):
    for row in configs["full"][:2]:
        row["name"] = ""
    with pytest.raises(DataError, match="without a name") as error:
        read(configs)
    assert "2: full/train" in str(error.value)


@pytest.mark.parametrize(
    ("config", "off", "fine"),
    [("full", 1, True), ("full", 2, False), ("full+tofu", 1, True), ("full+tofu", 2, False)],
)
def test_counts_may_be_off_by_few(read, configs, config, off, fine):
    configs[config] = configs[config][off:] if config == "full" else configs[config][:-off]
    if fine:
        assert len(read(configs).finetune) == 30
        return
    with pytest.raises(DataError, match="do not add up to 'full'") as error:
        read(configs)
    assert "+" in str(error.value)


def test_more_rows_without_perturbation_are_refused_with_numbers(read, configs):
    odd = seen(PEOPLE[4])[0] | {"image": picture("odd"), "caption": "A third one."}
    for config in ("full", "forget10"):
        configs[config].append(dict(odd))
    configs["forget10_perturbed"] = configs["forget10_perturbed"][:1]
    with pytest.raises(DataError, match="2 rows without a perturbed row"):
        read(configs)


@pytest.mark.parametrize("change", [{"caption": "Nobody's."}, {"name": "Ann Alpha"}])
def test_a_perturbed_row_without_a_partner_is_refused_with_numbers(read, configs, change):
    configs["forget10_perturbed"][1] |= change
    with pytest.raises(DataError, match="1 perturbed rows without a match") as error:
        read(configs)
    assert "forget10_perturbed/train-00000-of-00001.parquet, row 1" in str(error.value)


def test_rehearsal_without_general_rows_says_that_the_published_data_has_none(read, configs):
    with pytest.raises(ManifestError, match="general") as error:
        read(configs, finetune={"rehearsal": 0.25})
    assert "rehearsal = 0" in str(error.value)
