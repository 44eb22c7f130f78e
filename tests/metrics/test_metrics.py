"""Each metric against values worked out by hand, and the traits a reader must know of."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import benchmarks
from kit.benchmarks.records import GROUPS, Column, Concept, Record
from kit.metrics import DEFINITIONS, StoredAnswer
from kit.metrics.choices import choice_accuracy, choice_first_character, choice_unparsed
from kit.metrics.cloze import cloze_hit, cloze_words
from kit.metrics.definition import Likelihood
from kit.metrics.form import monotonous, repetition, unterminated
from kit.metrics.keywords import event_forget, keyword_recall
from kit.metrics.naming import forget_rate, name_hit
from kit.metrics.overlap import bleu, rouge_1_f1, rouge_2_f1, rouge_l_f1, rouge_l_recall
from kit.metrics.presence import f1_weight, presence_accuracy, presence_f1, unparsed, yes_rate


def who(person="Abdullah Al-Salem"):
    return Record("r", Concept.PERSON, "Who is this?", f"This is {person}.", person=person)


def what(answer="She buys pears at the market", keywords=("pears", "night market")):
    return Record("r", Concept.EVENT, "What happens?", answer, keywords=keywords)


def say(text, stop="eos"):
    return StoredAnswer(text, stop)


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


def test_whole_nltk_gives_the_same_values_and_can_be_imported_before_and_after():
    """ROUGE and BLEU import single modules of nltk; a process that has all of it uses those."""
    program = (
        "import sys\n"
        "from kit.metrics.overlap import _bleu, _rouge\n"
        "if sys.argv[1] == 'before': import nltk\n"
        "texts = 'She happily flies kites, twice!', 'He was flying a kite happily.'\n"
        "print(*(_rouge(kind, *texts) for kind in ('rouge1', 'rougeL')), _bleu(*texts))\n"
        "import nltk\n"
        "print(nltk.stem.porter.PorterStemmer().stem('kites'), nltk.translate.bleu_score.__name__)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program, when], capture_output=True, text=True, check=True
        ).stdout
        for when in ("before", "after")
    }
    assert len(said) == 1
    assert said.pop().endswith("kite nltk.translate.bleu_score\n")


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


def confusion(says, group=""):
    """Return (answer, record) pairs for "yn": says yes where the right answer is no."""
    full = {"y": "yes", "n": "no", "?": "perhaps"}
    return [
        (
            say(full[said]),
            Record("r", Concept.PRESENCE, "Is there a lamp?", full[right], group=group),
        )
        for said, right in says.split()
    ]


def weighted(measure, weight, pairs):
    """Return the value of a set as the rows compute it: the weighted mean of what exists."""
    found = [(measure(*pair), weight(*pair)) for pair in pairs]
    kept = [(value, share) for value, share in found if value is not None]
    return sum(v * w for v, w in kept) / sum(w for _, w in kept) if kept else None


def test_f1_of_yes_is_that_of_the_confusion_matrix():
    # 2 true positives, 1 false positive, 2 false negatives (one not parsed), 3 true negatives.
    pairs = confusion("yy yy yn ny ?y nn nn ?n")
    assert weighted(presence_f1, f1_weight, pairs) == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    precision, recall = 2 / 3, 2 / 4
    harmonic = 2 * precision * recall / (precision + recall)
    assert weighted(presence_f1, f1_weight, pairs) == pytest.approx(harmonic)


def test_true_negatives_and_references_without_a_verdict_are_no_part_of_f1():
    assert weighted(presence_f1, f1_weight, confusion("nn ?n")) is None
    lamps = Record("r", Concept.PRESENCE, "Is there a lamp?", "Two lamps")
    assert presence_f1(say("yes"), lamps) is f1_weight(say("yes"), lamps) is None


@pytest.mark.parametrize("group", GROUPS)
def test_a_metric_of_one_kind_of_question_leaves_the_others_out(group):
    others = [name for name in ("", *GROUPS) if name != group]
    pairs = confusion("yy yn nn", group)
    strange = [pair for name in others for pair in confusion("yn ny ny", name)]
    f1, accuracy = DEFINITIONS[f"presence_f1_{group}"], DEFINITIONS[f"presence_accuracy_{group}"]
    assert weighted(f1.measure, f1.weight, pairs + strange) == pytest.approx(2 / 3)
    found = [accuracy.measure(*pair) for pair in pairs + strange]
    assert [value for value in found if value is not None] == [1.0, 0.0, 1.0]


def choose(*logprobs, right="B", text="", letters="ABCD"):
    pairs = zip(letters, logprobs, strict=False)  # a letter may lack a likelihood
    given = [Likelihood("candidate", name, value, 1) for name, value in pairs]
    record = Record("r", Concept.CHOICE, "Which?", right, candidates=tuple(letters))
    return StoredAnswer(text, "eos", tuple(given)), record


def test_a_choice_is_the_likeliest_letter_and_a_tie_with_another_is_wrong():
    assert choice_accuracy(*choose(-2.0, -1.0, -3.0, -4.0)) == 1.0
    assert choice_accuracy(*choose(-0.9, -1.0, -3.0, -4.0)) == 0.0
    assert choice_accuracy(*choose(-1.0, -1.0, -3.0, -4.0)) == 0.0
    assert choice_accuracy(*choose(-3.0, -1.0, -2.0, -2.0)) == 1.0, "others may tie"


def test_a_choice_without_likelihoods_of_letters_has_no_accuracy():
    assert choice_accuracy(*choose()) is None
    assert choice_accuracy(*choose(-1.0, -2.0, right="E")) is None
    assert choice_accuracy(*choose(-1.0, right="A")) is None, "one letter is no choice"
    given, record = choose(-1.0, -2.0)
    said = tuple(one._replace(role="answer") for one in given.likelihoods)
    assert choice_accuracy(given._replace(likelihoods=said), record) is None


@pytest.mark.parametrize(
    ("text", "right", "hit", "lost"),
    [
        ("B", "B", 1.0, 0.0),
        ("b: Bo", "B", 1.0, 0.0),
        ("As an AI model I cannot know", "A", 1.0, 0.0),  # the rule's weakness
        ("(B)", "B", 0.0, 1.0),
        ("The answer is B", "B", 0.0, 1.0),
        ("Everest", "B", 0.0, 1.0),
        ("", "B", 0.0, 1.0),
    ],
)
def test_the_first_character_decides_in_the_released_rule(text, right, hit, lost):
    for letters in ("ABCD", ""):
        pair = choose(text=text, right=right, letters=letters)
        assert choice_first_character(*pair) == hit
        assert choice_unparsed(*pair) == lost


def test_a_letter_is_one_of_the_records_own_where_it_has_any():
    assert choice_unparsed(*choose(text="E", letters="ABCDE")) == 0.0
    assert choice_unparsed(*choose(text="D", letters="AB")) == 1.0


def blank(answer):
    return Record("r", Concept.CLOZE, "She is a [Blank].", answer)


def test_a_cloze_hit_is_a_substring_and_cloze_words_are_words():
    assert cloze_hit(say("A FEMALE teacher"), blank("male")) == 1.0  # the rule's weakness
    assert cloze_words(say("A FEMALE teacher"), blank("male")) == 0.0
    for measure in (cloze_hit, cloze_words):
        assert measure(say("the New York office"), blank("new york")) == 1.0
        assert measure(say("York, new"), blank("new york")) == 0.0
        assert measure(say("male"), blank("")) is None
    assert cloze_hit(say("new-york"), blank("New York")) == 0.0
    assert cloze_words(say("new-york"), blank("New York")) == 1.0


def test_rouge_of_words_and_of_pairs_by_hand():
    fact = Record("r", Concept.FACT, "?", "a red barn stands")
    said = say("red barn a")  # 3 of 3 and 3 of 4 words; 1 of 2 and 1 of 3 pairs
    assert rouge_1_f1(said, fact) == pytest.approx(2 * 1 * 0.75 / 1.75)
    assert rouge_2_f1(said, fact) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert rouge_l_f1(said, fact) == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert rouge_2_f1(say("Paris"), Record("r", Concept.FACT, "?", "Paris")) == 0.0
    assert rouge_1_f1(said, what("...")) is None


def test_bleu_by_hand():
    fact = Record("r", Concept.FACT, "?", "the cat sat on the mat")
    assert bleu(say("the cat sat on the mat"), fact) == pytest.approx(1.0)
    # 5 of 5 words, 4 of 4 pairs, 3 of 3 triples, 2 of 2 fours; shorter by one word of six.
    assert bleu(say("the cat sat on the"), fact) == pytest.approx(math.exp(1 - 6 / 5))
    # 3 of 4 words, 1 of 3 pairs, no triple of 2 and no four of 1, each smoothed to 0.1.
    smoothed = (3 / 4 * 1 / 3 * 0.1 / 2 * 0.1 / 1) ** 0.25 * math.exp(1 - 6 / 4)
    assert bleu(say("cat sat red the"), fact) == pytest.approx(smoothed)
    assert bleu(say("The Cat"), fact) == bleu(say(""), fact) == 0.0, "case counts"
    assert bleu(say("a"), Record("r", Concept.FACT, "?", " ")) is None


def test_repetition_counts_four_grams():
    assert repetition(say("a b c d e"), what()) == 0.0
    assert repetition(say("a a a a a a"), what()) == pytest.approx(2 / 3)  # 3 grams, 1 distinct
    assert repetition(say("a b c"), what()) is None


@pytest.mark.parametrize(
    ("text", "value"), [("", 1), (" ...", 1), ("US us, US", 1), ("no", 0), ("no, no yes", 0)]
)
def test_an_answer_that_is_silent_or_says_one_word_again_is_monotonous(text, value):
    assert monotonous(say(text), what()) == value


def test_only_an_answer_cut_at_the_limit_is_unterminated():
    assert unterminated(say("a", "length"), what()) == 1.0
    assert unterminated(say("a", "eos"), what()) == 0.0


def test_better_turns_round_where_knowledge_is_to_be_forgotten():
    assert DEFINITIONS["name_hit"].better_in(Column.RETAIN) == "higher"
    assert DEFINITIONS["name_hit"].better_in(Column.EFFICACY) == "lower"
    assert DEFINITIONS["repetition"].better_in(Column.EFFICACY) == "lower"
    assert DEFINITIONS["yes_rate"].better_in(Column.WORLD) == ""


@pytest.mark.parametrize("name", benchmarks.names())
def test_every_headline_of_a_benchmark_is_a_metric_with_a_better_direction(name):
    for part in benchmarks.protocol(name).parts.values():
        for column, metric in part.headline.items():
            assert DEFINITIONS[metric].better_in(column) in ("higher", "lower")


@given(
    answer=st.text(max_size=60),
    reference=st.text(max_size=60),
    keywords=st.lists(st.text(max_size=8), max_size=4),
    stop=st.sampled_from(["eos", "length"]),
    group=st.sampled_from(["", *GROUPS]),
)
def test_every_value_is_absent_or_between_zero_and_one(answer, reference, keywords, stop, group):
    record = Record(
        "r", Concept.EVENT, "?", reference, person=reference, keywords=tuple(keywords), group=group
    )
    for definition in DEFINITIONS.values():
        value = definition.measure(StoredAnswer(answer, stop), record)
        assert value is None or 0.0 <= value <= 1.0
        if value is not None and definition.weight is not None:
            assert definition.weight(StoredAnswer(answer, stop), record) > 0


@given(says=st.lists(st.sampled_from(["yy", "yn", "ny", "nn", "?y", "?n"]), min_size=1))
def test_f1_of_any_answers_is_that_of_their_counts(says):
    true, false = says.count("yy"), says.count("yn") + says.count("ny") + says.count("?y")
    found = weighted(presence_f1, f1_weight, confusion(" ".join(says)))
    if true + false == 0:
        assert found is None
    else:
        assert found == pytest.approx(2 * true / (2 * true + false))


def test_names_are_unique_and_a_metric_that_turns_has_a_direction_to_turn():
    for name, definition in DEFINITIONS.items():
        assert definition.name == name
        assert definition.version >= 1
        assert definition.sentence.endswith(".")
        assert not definition.turns or definition.better
