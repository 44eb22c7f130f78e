"""The judge reads answers: its replies are scored as the scorer of given answers does."""

import math
from types import SimpleNamespace

import pytest
import torch

from kit.benchmarks.records import Concept, Record
from kit.errors import GuardError
from kit.evaluation import judging, scoring
from kit.evaluation.judging import Judged
from kit.evaluation.reading import Said
from kit.experiment.inputs import SourceSection
from kit.experiment.judge import JudgeSection, filled
from kit.model.batches import Batcher

torch.set_num_threads(1)
SECTION = JudgeSection(
    source=SourceSection(name="judge", checksums="x", folder="y"),
    prompt="{question} {reference} {answer}",
    replies={"yes": 1.0, "no": 0.0},
)
RECORDS = [
    Record("a", Concept.PERSON, "Who is this person?", "Mara Weber", None, "Mara Weber"),
    Record("b", Concept.FACT, "Describe the scene in detail.", "a man", None, "Bo"),
    Record("c", Concept.PRESENCE, "Is there a dog?", "yes"),
]
SAID = {"a": Said("Ada Sato", True), "b": Said("no no no", False), "c": Said("yes", True)}


@pytest.fixture(scope="module")
def model(tiny_base):
    from transformers import LlavaForConditionalGeneration

    return LlavaForConditionalGeneration.from_pretrained(
        tiny_base, attn_implementation="eager"
    ).eval()


@pytest.fixture
def batcher(processor):
    return Batcher(processor, torch.device("cpu"))


def judged(model, batcher, records=RECORDS, said=SAID):
    found = judging.judge_texts(model, batcher, SECTION, records, said)
    return {(each.record_id, each.reply): each.logprob for each in found}


def test_a_reply_is_as_likely_as_the_scorer_says_of_the_same_prompt(model, batcher):
    """The scorer is told the filled prompt as a question and the reply as the reference."""
    found = judged(model, batcher)
    assert set(found) == {(name, reply) for name in "ab" for reply in ("yes", "no")}
    for (name, reply), logprob in found.items():
        record = next(each for each in RECORDS if each.id == name)
        text = filled(SECTION.prompt, record.question, record.answer, SAID[name].text)
        given = Record(name, Concept.FACT, text, reply, candidates=("never",))
        scored = scoring.score_records(model, batcher, [given])
        (expected,) = (each.logprob for each in scored if each.role == "answer")
        assert logprob == pytest.approx(expected, abs=1e-4)


def test_letters_and_yes_or_no_are_not_judged(model, batcher):
    assert judged(model, batcher, RECORDS[2:]) == {}


def test_the_order_and_the_company_of_records_change_nothing(model, batcher):
    together = judged(model, batcher, RECORDS[::-1])
    alone = judged(model, batcher, RECORDS[:1])
    for key, logprob in alone.items():
        assert together[key] == pytest.approx(logprob, abs=1e-5)


def test_an_answer_that_holds_the_mark_of_an_image_can_be_judged(model, batcher):
    """It would be a second image to the processor, and an error."""
    (mark,) = batcher.media_marks[:1]
    said = {"a": Said(f"Ada{mark}Sato", True)}
    plain = {"a": Said("Ada Sato", True)}
    assert judged(model, batcher, RECORDS[:1], said) == judged(model, batcher, RECORDS[:1], plain)


def test_what_is_no_number_is_an_error():
    system = SimpleNamespace(name="person-npo-s1", judged="somewhere")
    with pytest.raises(GuardError, match="the judge gives no numbers"):
        judging.publish_judged(system, [Judged("a", "no", math.nan), Judged("a", "yes", -1.0)])
