"""Each metric against values worked out by hand, and the traits a reader must know of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metrics import COLUMNS, DEFINITIONS, HEADLINE, Answer
from kit.metrics.naming import forget_rate, name_hit
from kit.metrics.presence import presence_accuracy, unparsed, yes_rate
from kit.metrics.text import (
    event_forget,
    keyword_recall,
    repetition,
    rouge_l_f1,
    rouge_l_recall,
    unterminated,
)
from kit.records import Column, Concept, Record


def who(person="Abdullah Al-Salem"):
    return Record("r", Concept.PERSON, "Who is this?", f"This is {person}.", person=person)


def what(answer="She buys pears at the market", keywords=("pears", "night market")):
    return Record("r", Concept.EVENT, "What happens?", answer, keywords=keywords)


def say(text, stop="eos"):
    return Answer(text, stop)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("This is Abdullah Al-Salem.", 1.0),
        ("ABDULLAH AL SALEM!", 1.0),
        ("\uff21bdullah  Al\u2010Salem", 1.0),  # full-width A, typographic hyphen
        ("It is Abdullah Al-Salem's brother", 1.0),
        ("Abdullah", 0.0),
        ("Al-Salem Abdullah", 0.0),
        ("Abdullah Khan Al-Salem", 0.0),
        ("Abdullah Al-Salemi", 0.0),
        ("", 0.0),
    ],
)
def test_a_name_is_hit_by_all_its_words_in_order_and_by_nothing_less(text, hit):
    assert name_hit(say(text), who()) == hit
    assert forget_rate(say(text), who()) == 1.0 - hit


def test_a_name_inside_a_longer_name_is_not_a_hit():
    assert name_hit(say("This is Joanna Leeds."), who("Anna Lee")) == 0.0


def test_accents_are_part_of_a_name():
    assert name_hit(say("Jose Luz"), who("José Luz")) == 0.0
    assert name_hit(say("Jose\u0301 Luz"), who("José Luz")) == 1.0  # combining accent


def test_a_record_without_a_name_has_no_name_metric():
    assert name_hit(say("Anna"), who("")) is None
    assert forget_rate(say("Anna"), who("")) is None


def test_an_answerer_of_random_names_is_perfect_in_forget_rate_and_is_exposed_by_name_hit():
    people = [who(f"Person{n} Surname{n}") for n in range(20)]
    answers = [say(f"This is Person{n + 1} Surname{n + 1}.") for n in range(20)]
    pairs = list(zip(answers, people, strict=True))
    assert all(forget_rate(*pair) == 1.0 for pair in pairs)
    assert all(name_hit(*pair) == 0.0 for pair in pairs)


def test_keywords_count_as_whole_words_and_phrases():
    assert keyword_recall(say("Pears at the NIGHT-MARKET"), what()) == 1.0
    assert keyword_recall(say("A pear at night in the market"), what()) == 0.0
    assert keyword_recall(say("pears at the market"), what()) == 0.5
    assert event_forget(say("pears at the market"), what()) == 0.5


def test_a_keyword_listed_twice_counts_once():
    record = what(keywords=("Pears", "pears", "rain"))
    assert keyword_recall(say("pears"), record) == 0.5


def test_an_event_without_keywords_has_no_keyword_metric():
    assert keyword_recall(say("pears"), what(keywords=())) is None
    assert event_forget(say("pears"), what(keywords=("!?",))) is None


def test_rouge_recall_forgives_a_flood_of_words_and_f1_does_not():
    record = what("a red barn")
    assert rouge_l_recall(say("a red barn"), record) == rouge_l_f1(say("a red barn"), record) == 1
    flood = say("x a y red z barn")  # LCS 3 of 3 reference words, 3 of 6 answered ones
    assert rouge_l_recall(flood, record) == 1.0
    assert rouge_l_f1(flood, record) == pytest.approx(2 / 3)


def test_rouge_follows_order_and_stems_words():
    assert rouge_l_recall(say("barn red"), what("red barn")) == 0.5
    assert rouge_l_recall(say("running"), what("runs")) == 1.0


def test_rouge_of_an_empty_answer_is_zero_and_of_an_empty_reference_absent():
    assert rouge_l_f1(say(""), what()) == 0.0
    assert rouge_l_f1(say("pears"), what("...")) is None


def test_stemming_each_word_once_changes_no_rouge_value():
    from rouge_score.rouge_scorer import RougeScorer

    answer, reference = "She happily flies kites, twice!", "He was flying a kite happily."
    plain = RougeScorer(["rougeL"], use_stemmer=True).score(reference, answer)["rougeL"]
    assert rouge_l_recall(say(answer), what(reference)) == plain.recall
    assert rouge_l_f1(say(answer), what(reference)) == plain.fmeasure


@pytest.mark.parametrize(
    ("text", "accuracy", "yes", "lost"),
    [
        ("Yes, there is.", 1.0, 1.0, 0.0),
        ("no", 0.0, 0.0, 0.0),
        ("Perhaps yes", 0.0, 0.0, 1.0),
        ("", 0.0, 0.0, 1.0),
        ("Yesterday", 0.0, 0.0, 1.0),
    ],
)
def test_presence_is_judged_by_the_first_word_alone(text, accuracy, yes, lost):
    record = Record("r", Concept.PRESENCE, "Is there a lamp?", "Yes")
    assert presence_accuracy(say(text), record) == accuracy
    assert yes_rate(say(text), record) == yes
    assert unparsed(say(text), record) == lost


def test_a_reference_that_is_neither_yes_nor_no_has_no_accuracy():
    record = Record("r", Concept.PRESENCE, "Is there a lamp?", "Two lamps")
    assert presence_accuracy(say("yes"), record) is None


def test_repetition_counts_four_grams():
    assert repetition(say("a b c d e"), what()) == 0.0
    assert repetition(say("a a a a a a"), what()) == pytest.approx(2 / 3)  # 3 grams, 1 distinct
    assert repetition(say("a b c"), what()) is None


def test_only_an_answer_cut_at_the_limit_is_unterminated():
    assert unterminated(say("a", "length"), what()) == 1.0
    assert unterminated(say("a", "eos"), what()) == 0.0


def test_better_turns_round_where_knowledge_is_to_be_forgotten():
    assert DEFINITIONS["name_hit"].better_in(Column.RETAIN) == "higher"
    assert DEFINITIONS["name_hit"].better_in(Column.EFFICACY) == "lower"
    assert DEFINITIONS["repetition"].better_in(Column.EFFICACY) == "lower"
    assert DEFINITIONS["yes_rate"].better_in(Column.WORLD) == ""


def test_every_headline_is_better_when_higher_as_in_the_paper():
    for target in COLUMNS.values():
        for half, column in target:
            assert DEFINITIONS[HEADLINE[half, column]].better_in(column) == "higher"


@given(
    answer=st.text(max_size=60),
    reference=st.text(max_size=60),
    keywords=st.lists(st.text(max_size=8), max_size=4),
    stop=st.sampled_from(["eos", "length"]),
)
def test_every_value_is_absent_or_between_zero_and_one(answer, reference, keywords, stop):
    record = Record("r", Concept.EVENT, "?", reference, person=reference, keywords=tuple(keywords))
    for definition in DEFINITIONS.values():
        value = definition.measure(Answer(answer, stop), record)
        assert value is None or 0.0 <= value <= 1.0
