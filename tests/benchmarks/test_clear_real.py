"""CLEAR's real faces and real world: options in every form that is read, and those that are not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.benchmarks.cells import says_nothing
from kit.benchmarks.clear import real_faces
from kit.benchmarks.clear.real import real_world, resolve
from kit.benchmarks.clear.records import NAME_QUESTION, without
from kit.benchmarks.clear.rows import Row, same_words
from kit.benchmarks.left_out import OddRows
from kit.benchmarks.records import Concept
from kit.errors import DataError
from tests.toys.clear import tables, unpacked

OPTIONS = ["Known 0", "Known 1", "Known 2"]


def row(options):
    return Row("real_world", 0, "real_world/x.parquet, row 0", None, {"options": options})


def test_a_face_asks_for_its_name_and_offers_the_other_options(tmp_path):
    found = real_faces(unpacked(tmp_path / "data", tables()), OddRows())
    assert [record.id for record in found] == [f"real_faces/{i}#person" for i in range(3)]
    first = found[1]
    assert (first.concept, first.question, first.answer) == (
        Concept.PERSON,
        "Who is it?",
        "Known 1",
    )
    assert first.person == "Known 1"
    assert first.candidates == ("Known 0", "Known 2")
    assert first.image.is_file()


def test_a_question_of_the_world_is_a_fact_about_nobody(tmp_path):
    found = real_world(unpacked(tmp_path / "data", tables()), OddRows())
    assert [record.id for record in found] == [f"real_world/{i}#fact" for i in range(3)]
    assert (found[0].concept, found[0].person) == (Concept.FACT, "")
    assert (found[0].answer, found[0].candidates) == ("a cat", ("a dog",))


def test_real_faces_can_be_read_without_the_rest_of_the_source(tmp_path):
    only = {"real_faces": tables()["real_faces"]}
    assert len(real_faces(unpacked(tmp_path / "data", only), OddRows())) == 3


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        json.dumps(OPTIONS),
        repr(OPTIONS),
        repr(tuple(OPTIONS)).replace("(", "[").replace(")", "]"),
        dict(zip("ABC", OPTIONS, strict=True)),
        json.dumps(dict(zip("ABC", OPTIONS, strict=True))),
        repr(dict(zip("ABC", OPTIONS, strict=True))),
        {**dict(zip("ABC", OPTIONS, strict=True)), "D": None},
    ],
    ids=["list", "JSON list", "Python list", "Python tuple as list", "dict", "JSON dict",
         "Python dict", "parquet struct with a null"],
)  # fmt: skip
def test_options_are_read_in_each_known_form(tmp_path, options):
    configs = {"real_faces": [r | {"options": options} for r in tables()["real_faces"]]}
    found = real_faces(unpacked(tmp_path / "data", configs), OddRows())
    assert [record.candidates for record in found] == [
        tuple(option for option in OPTIONS if option != record.answer) for record in found
    ]


@pytest.mark.parametrize(
    "options",
    [
        None, 7, "", "Known 0, Known 1", "[", "[1, 2]", [], {}, "{}", [1, 2], ["a", None],
        ["a", ""], {"A": 1}, {"A": None}, "__import__('os')", [["a", "b"]],
        "[" * 100_000,
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_options_of_another_form_are_refused_with_their_place(options):
    with pytest.raises(DataError, match=r"real_world/x.parquet, row 0, column 'options'") as error:
        resolve("Known 0", options, row(options))
    assert "found" in str(error.value)


def test_a_letter_means_the_option_of_that_letter():
    options = {"A": "a cat", "B": "a dog"}
    assert resolve("B", options, row(options)) == ("a dog", ("a cat", "a dog"))


@pytest.mark.parametrize(
    "options",
    [{"A": "a cat", "A ": "a dog"}, {"a": "a cat", "A": "a dog"},
     '{"A": "a cat", "A": "a dog"}', "{'A': 'a cat', 'A': 'a dog'}"],
)  # fmt: skip
def test_a_letter_that_stands_for_two_options_is_refused(options):
    with pytest.raises(DataError, match="column 'options'"):
        resolve("A", options, row(options))


def test_a_text_that_two_letters_have_is_refused():
    for options in (
        {"A": "a cat", "B": "A\u00a0CAT", "C": "a dog"},
        ["A. a cat", "B. A\u00a0CAT", "C. a dog"],
    ):
        with pytest.raises(DataError, match="has a text twice"):
            resolve("a dog", options, row(options))


def test_nan_in_json_is_no_option():
    options = '{"A": "a cat", "B": "a dog", "C": NaN}'
    assert resolve("B", options, row(options)) == ("a dog", ("a cat", "a dog"))


def test_faces_without_a_question_are_asked_the_name_question(tmp_path):
    """The published table has three columns: image, answer and options."""
    plain = tables()["real_faces"]
    published = [{k: v for k, v in each.items() if k != "question"} for each in plain]
    place = unpacked(tmp_path / "data", {"real_faces": published})
    found, odd = real_faces(place, OddRows()), [each | {"question": None} for each in plain]
    assert {record.question for record in found} == {NAME_QUESTION}
    assert [r.answer for r in found] == [each["answer"] for each in plain]
    assert real_faces(unpacked(tmp_path / "null", {"real_faces": odd}), OddRows())[0].question == (
        NAME_QUESTION
    )


def test_one_picture_of_two_faces_is_left_out(tmp_path):
    rows, odd = tables()["real_faces"], OddRows()
    rows[1]["image"] = rows[0]["image"]
    found = real_faces(unpacked(tmp_path / "data", {"real_faces": rows}), odd)
    assert [record.person for record in found] == ["Known 0", "Known 2"]
    assert [each.kind for each in odd.left_out()] == [
        "answer is not that of the same question before"
    ]


def test_a_face_whose_name_is_spelt_in_two_ways_is_one_person(tmp_path):
    rows = tables()["real_faces"]
    rows[1] |= {"answer": "KNOWN\u00a00", "image": rows[0]["image"]}
    rows[2] |= {"answer": "known-0", "image": rows[0]["image"]}
    found = real_faces(unpacked(tmp_path / "data", {"real_faces": rows}), OddRows())
    assert [record.person for record in found] == ["Known 0"] * 3


@pytest.mark.parametrize(
    ("same", "options", "left"),
    [(True, ["a dog", "A CAT"], 1), (False, ["a cat", "a dog"], 0), (True, ["a bird", "a dog"], 0)],
    ids=["another answer", "another picture", "other options"],
)
def test_a_question_of_the_world_has_one_right_answer(tmp_path, same, options, left):
    rows, odd = tables()["real_world"], OddRows()
    first = rows[0] | {"question": "What is it?", "answer": "a cat", "options": ["a cat", "a dog"]}
    rows[1] |= {"question": "what is  IT?", "answer": "a dog", "options": options}
    rows[1] |= {"image": first["image"]} if same else {}
    rows[0] = first
    found = real_world(unpacked(tmp_path / "data", {"real_world": rows}), odd)
    assert len(found) == len(rows) - left
    kinds = [each.kind for each in odd.left_out()]
    assert kinds == ["answer is not that of the same question before"] * left


def test_a_letter_that_is_no_options_is_refused_rather_than_held_against_all_of_them():
    for options in (["a cat", "a dog"], {"A": "a cat", "B": "a dog"}):
        with pytest.raises(DataError, match="letter"):
            resolve("C", options, row(options))


@pytest.mark.parametrize("answer", ["B", "B.", "(b)", "a dog", "A dog.", "B. a dog"])
@pytest.mark.parametrize(
    "options",
    [["A. a cat", "B. a dog"], ["(a) a cat", "(b) a dog"], {"A": "A. a cat", "B": "B. a dog"},
     '\ufeff["A) a cat", "B) a dog"]'],
    ids=str,
)  # fmt: skip
def test_letters_within_the_options_are_letters(answer, options):
    """Without this, the right option would be held against the answer as a wrong one."""
    right, texts = resolve(answer, options, row(options))
    assert without(texts, right) in {("a cat",), ("A. a cat",), ("(a) a cat",), ("A) a cat",)}


LETTERED = ["A. a cat", "B. a dog"]


def test_letters_belong_to_no_text():
    """Letters would decide the likelihoods that are compared."""
    assert resolve("B. a dog", LETTERED, row(LETTERED)) == ("a dog", ("a cat", "a dog"))
    turned = LETTERED[::-1]
    assert resolve("B", turned, row(turned)) == ("a dog", ("a dog", "a cat"))


@pytest.mark.parametrize("answer", ["both A and B", "A, B", "AB", "a cow", "The answer is E"])
@pytest.mark.parametrize("options", [LETTERED, dict(zip("AB", ["a cat", "a dog"], strict=True))])
def test_an_answer_that_is_none_of_lettered_options_is_refused(answer, options):
    """All of them, the right one included, would be held against it as wrong ones."""
    with pytest.raises(DataError, match="column 'options'"):
        resolve(answer, options, row(options))


@pytest.mark.parametrize("answer", ["The answer is B.", "Option B", "Answer: b"])
def test_words_before_a_letter_are_no_answer_of_their_own(answer):
    assert resolve(answer, LETTERED, row(LETTERED))[0] == "a dog"
    with pytest.raises(DataError, match="lacks the letter of the answer"):
        resolve("Option B", ["a cat", "a dog"], row(["a cat", "a dog"]))


def test_letters_that_are_no_row_are_not_left_in_the_right_option():
    options = ["B. a dog", "C. a cat"]
    with pytest.raises(DataError, match="no row of A, B, C"):
        resolve("a dog", options, row(options))


def test_initials_of_names_are_kept():
    names = ["B. Cho", "A. Lee"]
    assert resolve("A. Lee", names, row(names)) == ("A. Lee", tuple(names))


@pytest.mark.parametrize("answer", ["C.", "(c)"])
def test_a_letter_with_a_mark_is_a_letter(answer):
    with pytest.raises(DataError, match="lacks the letter of the answer"):
        resolve(answer, ["a cat", "a dog"], row(["a cat", "a dog"]))


def test_initials_are_no_letters_of_options():
    names = ["A. Lee", "B. Cho", "Dee Fox"]
    assert resolve("Dee Fox", names, row(names)) == ("Dee Fox", tuple(names))
    assert resolve("Eve Fox", names, row(names)) == ("Eve Fox", tuple(names))


@pytest.mark.parametrize("answer", ["0", "1", "2"])
def test_a_number_of_an_option_is_refused_because_it_can_be_counted_in_two_ways(answer):
    with pytest.raises(DataError, match="is a number, and no option is one"):
        resolve(answer, ["a cat", "a dog"], row(["a cat", "a dog"]))
    years = ["1999", "2001"]
    assert resolve("2000", years, row(years)) == ("2000", tuple(years))
    assert resolve("1999", ["a cat"], row(["a cat"])) == ("1999", ("a cat",))


def test_a_numpy_array_as_text_is_not_one_option_of_all():
    options = "['a cat' 'a dog' 'a cow']"
    with pytest.raises(DataError, match="neither a list nor a mapping"):
        resolve("a cat", options, row(options))


def test_a_letter_that_is_itself_an_option_is_an_answer():
    assert resolve("A", ["A", "B"], row(["A", "B"])) == ("A", ("A", "B"))


text = st.text(min_size=1, max_size=20).filter(
    lambda value: not says_nothing(value) and "\x00" not in value and value.isprintable()
)


@given(options=st.lists(text, min_size=2, max_size=6, unique_by=same_words), data=st.data())
def test_every_form_of_the_same_options_means_the_same(options, data):
    answer = data.draw(st.sampled_from(options)).strip()
    letters = dict(zip("ABCDEF", options, strict=False))
    forms = [options, json.dumps(options), repr(options), letters, json.dumps(letters)]
    found = {resolve(answer, form, row(form)) for form in forms}
    assert found == {(answer, tuple(option.strip() for option in options))}


@given(
    options=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_anything_at_all_gives_texts_or_an_error_that_says_where(options):
    try:
        answer, found = resolve("an answer", options, row(options))
    except DataError as error:
        told, answer, found = str(error), "", ()
    else:
        told = ""
    assert bool(found) == bool(answer) == (not told)
    assert not told or "column 'options'" in told
    assert all(isinstance(option, str) and option.strip() == option for option in found)
