"""What CLEAR's loader refuses, and what it says: wrong tables, leaks, and splits that are none."""

import json

import pytest

from kit.benchmarks import load
from kit.errors import DataError, ManifestError
from kit.names import show
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


ODD_CELLS = [
    ("forget10", "caption", None, "is empty"),
    ("retain90", "caption", " \u200b ", "is empty"),
    ("retain90", "caption", True, "is true or false, not a text"),
    ("full", "caption", b"bytes", "is bytes, not a text"),
    ("full", "name", ("Ann",), "is a list, not a text"),
    ("forget10_perturbed", "paraphrased_caption", None, "is empty"),
    ("forget10_perturbed", "perturbed_captions", [], "is no list of texts"),
    ("forget10_perturbed", "perturbed_captions", None, "is no list of texts"),
    ("retain_perturbed", "perturbed_names", ["A", ""], "an item is empty"),
    ("retain_perturbed", "perturbed_names", ["A", None], "an item is empty"),
    ("real_world", "question", None, "is empty"),
    ("real_world", "answer", "", "is empty"),
    ("real_world", "answer", float("nan"), "is empty"),
    ("real_world", "answer", float("inf"), "is an infinite number"),
    ("real_world", "options", ["a cat", "A CAT!"], "has no wrong option"),
    ("forget10", "image", None, "is empty"),
    ("full", "image", None, "is empty"),
    ("retain_perturbed", "image", None, "is empty"),
    ("real_faces", "image", None, "is empty"),
]


@pytest.mark.parametrize(("config", "column", "value", "told"), ODD_CELLS)
def test_more_odd_rows_than_one_are_refused_with_table_row_and_column(
    read, configs, config, column, value, told
):
    for row in configs[config] if not isinstance(value, str | list | None) else configs[config][:2]:
        row[column] = value
    with pytest.raises(DataError) as error:
        read(configs)
    rows = len(configs[config])
    assert f"of {rows} rows of '{config}' cannot be used" in error.value.what
    assert f"column '{column}'" in str(error.value.found)
    assert told in str(error.value.found)
    assert f"first: {config}/train-00000-of-00001.parquet, row 0" in str(error.value.found)
    assert "1 %" in str(error.value.expected)


@pytest.mark.parametrize(
    ("config", "column", "value", "told"),
    [each for each in ODD_CELLS if isinstance(each[2], str | list | None)],
)
def test_one_odd_row_is_left_out_and_counted(read, configs, config, column, value, told):
    configs[config][1][column] = value
    found = read(configs)
    left, *consequences = found.left_out
    assert [each.table for each in consequences] == ["forget10_perturbed"] * (config == "forget10")
    assert (left.table, left.count, left.of, left.unit) == (config, 1, len(configs[config]), "rows")
    assert left.kind.startswith(f"column '{column}'")
    assert left.kind.endswith(told)
    assert left.first == f"{config}/train-00000-of-00001.parquet, row 1"
    odd = f"clear/{config}/1#" if config[:4] != "real" or "_p" in config else f"{config}/1#"
    assert not [name for name in found.records if name.startswith(odd)]
    assert [name for name in found.records if name.startswith(odd.replace("/1#", "/0#"))] or (
        config in ("full", "forget10_perturbed")
    )


def test_numbers_of_rows_stay_when_one_before_is_left_out(read, configs):
    configs["retain90"][2]["caption"] = ""
    before, after = read(configs).records, read(configs | {"retain90": configs["retain90"]}).records
    assert before == after
    assert "clear/retain90/2#caption" not in after
    assert after["clear/retain90/3#caption"].answer == configs["retain90"][3]["caption"]


def test_a_person_who_would_lose_every_picture_is_named(read, configs):
    for config in ("full", "retain90"):
        configs[config] = [
            row for row in configs[config] if row["caption"] != "Dee Delta in place 1."
        ]
    configs["retain90"][-1]["caption"] = None
    with pytest.raises(
        DataError, match="'retain90' would lose everything about Dee Delta"
    ) as error:
        read(configs)
    assert "retain90/train-00000-of-00001.parquet, row 6" in error.value.found


def test_a_text_row_without_an_answer_is_left_out_and_counted(read, configs):
    configs["forget10+tofu"][-2]["answer"] = None
    found = read(configs)
    assert [str(each) for each in found.left_out] == [
        "1 of 2 rows of forget10+tofu: column 'answer' is empty "
        "(first: forget10+tofu/train-00000-of-00001.parquet, row 2)"
    ]
    assert "clear/forget10+tofu/2#qa" not in found.records
    assert "clear/forget10+tofu/3#qa" in found.records


def test_a_person_who_would_lose_every_text_row_is_named(read, configs):
    rows = configs["retain90+tofu"]
    configs["retain90+tofu"] = [row for row in rows if row["answer"] != "Dee Delta writes."]
    configs["full+tofu"] = [r for r in configs["full+tofu"] if r["answer"] != "Dee Delta writes."]
    configs["retain90+tofu"][-1]["answer"] = " "
    with pytest.raises(DataError, match=r"'retain90\+tofu' would lose everything about Dee Delta"):
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


SPELLINGS = ["EVE EPSILON", "Eve\u00a0Epsilon", "Eve  Epsilon", "Eve\u200bEpsilon", "Eve-Epsilon"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_person_on_both_sides_in_another_spelling_is_a_leak(read, configs, name):
    configs["retain90"].append(seen(PEOPLE[4])[0] | {"caption": "Another caption.", "name": name})
    with pytest.raises(DataError, match="people in both 'forget10' and 'retain90'") as error:
        read(configs)
    assert "'Eve Epsilon'" in error.value.found
    assert show(name) in error.value.found
    if name == SPELLINGS[1]:
        assert "Eve<U+00A0>Epsilon" in error.value.found, "two spellings that look equal"


def test_a_person_on_both_sides_in_another_unicode_form_is_a_leak(read, configs):
    for config in ("full", "forget10", "forget10_perturbed"):
        for row in configs[config][-2:]:
            row["name"] = "Zo\u00eb"
    configs["retain90"].append(seen("Zoe\u0308")[0])
    with pytest.raises(DataError, match="people in both") as error:
        read(configs)
    assert "Zo<U+00EB>" in error.value.found
    assert "Zoe<U+0308>" in error.value.found


@pytest.mark.parametrize("name", ["Eve Epsilon", "EVE\u00a0EPSILON", "Eve-Epsilon"])
@pytest.mark.parametrize(
    ("config", "number", "column"),
    [
        ("retain90", 3, "caption"),
        ("retain90+tofu", 10, "question"),
        ("retain90+tofu", 11, "answer"),
    ],
)
def test_a_kept_row_that_mentions_a_forgotten_person_is_left_out(
    read, configs, config, number, column, name
):
    configs[config][number][column] = f"Here with {name}."
    found = read(configs)
    (left,) = found.left_out
    assert (left.table, left.kind) == (config, "it mentions a forgotten person")
    assert not [key for key in found.records if key.startswith(f"clear/{config}/{number}#")]


def test_a_kept_row_that_shows_a_forgotten_picture_is_left_out(read, configs):
    configs["retain90"][0]["image"] = configs["forget10"][0]["image"]
    made = read(configs)
    assert [str(each) for each in made.left_out] == [
        "1 of 8 rows of retain90: it shows a picture of the forget side "
        "(first: retain90/train-00000-of-00001.parquet, row 0)"
    ]
    assert "clear/retain90/0#caption" not in made.records


def test_many_kept_rows_that_mention_a_forgotten_person_are_refused(read, configs):
    for number in (10, 11):
        configs["retain90+tofu"][number]["answer"] = "Like Eve Epsilon."
    with pytest.raises(DataError, match=r"2 of 8 rows of 'retain90\+tofu' cannot be used") as error:
        read(configs)
    assert "it mentions a forgotten person: 2" in error.value.found


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_forgotten_person_is_no_kept_one_in_another_spelling(read, configs, name):
    configs["retain_perturbed"].append(configs["forget10_perturbed"][0] | {"name": name})
    with pytest.raises(DataError, match="people of 'forget10' in 'retain_perturbed'"):
        read(configs)


def test_several_spellings_within_a_side_are_one_person(read, configs):
    for config in ("full", "retain90", "retain_perturbed"):
        configs[config][1]["name"] = "ANN\u00a0ALPHA"
    found = read(configs)
    people = {
        r.person for name, r in found.records.items() if "/retain" in name and "tofu" not in name
    }
    assert people == set(PEOPLE[:4])
    assert found.records["clear/retain_perturbed/1#name"].answer == "Ann Alpha"
    assert found.notes == (
        "One name in 2 spellings counts as one: 'Ann Alpha' and 'ANN\u00a0ALPHA'.",
    )


def test_a_question_on_both_sides_in_other_blanks_is_a_leak(read, configs):
    row = configs["forget10+tofu"][-1]
    configs["retain90+tofu"][-1] = row | {"answer": f"{row['answer'].upper()}\u00a0"}
    with pytest.raises(DataError, match="text rows of 'forget10' that are also in 'retain90'"):
        read(configs)


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
def test_perturbed_rows_without_a_partner_are_refused_with_numbers(read, configs, change):
    for row in configs["forget10_perturbed"]:
        row |= change
    with pytest.raises(DataError, match="2 perturbed rows without a match") as error:
        read(configs)
    assert "forget10_perturbed/train-00000-of-00001.parquet, row 0" in str(error.value)


def test_one_perturbed_row_without_a_partner_is_left_out_and_counted(read, configs):
    configs["forget10_perturbed"][1]["caption"] = "Nobody's."
    found = read(configs)
    assert [(each.table, each.count, each.of) for each in found.left_out] == [
        ("forget10_perturbed", 1, 2)
    ]
    assert found.records["clear/forget10/1#caption"].candidates == ()


def test_a_perturbed_row_in_another_spelling_has_its_partner(read, configs):
    for row in configs["forget10_perturbed"]:
        row |= {"name": row["name"].upper(), "caption": f"\ufeff{row['caption']} "}
    found = read(configs)
    assert found.left_out == ()
    assert len(found.records["clear/forget10/1#caption"].candidates) == 2


def test_rehearsal_without_general_rows_says_that_the_published_data_has_none(read, configs):
    with pytest.raises(ManifestError, match="general") as error:
        read(configs, finetune={"rehearsal": 0.25})
    assert "rehearsal = 0" in str(error.value)


@pytest.mark.parametrize("config", ["forget10", "retain90", "retain_perturbed"])
def test_pictures_that_are_shifted_against_their_rows_are_refused(read, configs, config):
    """Each caption would be asked about the picture of the row before."""
    rows = configs[config]
    pictures = [row["image"] for row in rows]
    for row, image in zip(rows, [*pictures[1:], pictures[0]], strict=True):
        row["image"] = image
    with pytest.raises(DataError, match=r"pictures in .* whose captions in") as caught:
        read(configs)
    assert "row" in str(caught.value.found)


def test_pictures_in_another_encoding_say_nothing(read, configs):
    for number, row in enumerate(configs["retain90"]):
        row["image"] = picture(f"x{number}")
    assert read(configs)


def test_a_name_none_is_no_person(read, configs):
    configs["retain90"][0]["name"] = "None"
    found = read(configs)
    assert "None" not in {record.person for record in found.records.values()}


def test_perturbations_as_json_text_are_the_same(read, configs):
    before = {key: record.candidates for key, record in read(configs).records.items()}
    for row in configs["forget10_perturbed"]:
        row["perturbed_captions"] = json.dumps(row["perturbed_captions"])
    assert {key: r.candidates for key, r in read(configs).records.items()} == before


def test_names_that_are_shifted_against_their_captions_are_refused(read, configs):
    """Each picture would be taught with the name of the next person."""
    for config in ("retain90", "full"):
        rows = configs[config]
        names = [row["name"] for row in rows if row["name"] != PEOPLE[4]]
        for row, name in zip(rows, [*names[2:], *names[:2]], strict=False):
            row["name"] = name
    with pytest.raises(DataError, match="rows of 'retain90' cannot be used") as caught:
        read(configs)
    assert "it names another person, and not its own: 8" in str(caught.value.found)


def test_one_caption_about_somebody_else_is_left_out(read, configs):
    for config in ("retain90", "full"):
        configs[config][0]["caption"] = f"{PEOPLE[1]} in a hat."
    (left,) = read(configs).left_out
    assert (left.table, left.kind) == ("retain90", "it names another person, and not its own")
