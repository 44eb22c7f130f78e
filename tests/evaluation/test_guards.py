"""Guards: other prompts and an adapter without effect end an evaluation before it is published."""

import pytest

from kit.errors import GuardError
from kit.evaluation.answering import answer_group
from kit.evaluation.guards.effect import change_of_logprob
from tests.toys.engine import named, serve


def test_an_adapter_that_changes_nothing_stops_the_evaluation(served, questions):
    system = named(served, "person-npo-s1")
    with pytest.raises(GuardError, match="person-npo-s1 does nothing in the engine"):
        answer_group([system], serve(served, shift=0.0), questions)
    assert not system.answers.done


def test_the_prompt_only_baseline_has_no_adapter_to_probe(served, questions):
    system = named(served, "person-prompt-s1")
    answer_group([system], serve(served, shift=0.0), questions)
    assert system.answers.job()["canary"] is None


def test_an_engine_that_shows_no_log_probabilities_is_not_probed(served, questions):
    system = named(served, "vanilla")
    answer_group([system], serve(served, blind=True, shift=0.0), questions)
    assert system.answers.job()["canary"] is None


def test_a_token_that_is_no_longer_likely_counts_at_least_as_far_as_the_least_likely_one():
    before = {7: -1.0, 8: -9.0}
    assert change_of_logprob(before, {7: -1.5, 8: -2.0}) == pytest.approx(0.5)
    assert change_of_logprob(before, {5: -0.5, 6: -4.0}) == pytest.approx(3.0)


def test_an_engine_that_puts_a_token_before_every_prompt_is_found(served, questions):
    """As vLLM does with LLaVA 1.5, whose tokenizer adds one, if it is given text."""
    system = named(served, "vanilla")
    with pytest.raises(GuardError, match="reads another prompt than training does") as caught:
        answer_group([system], serve(served, prefix=(1,)), questions)
    assert "from token 0" in caught.value.what
    assert not system.answers.done


def test_the_prompt_of_a_system_with_an_instruction_is_compared_as_well(served, questions):
    system = named(served, "person-prompt-s1")
    engine = serve(served)
    plain = engine.encoder

    def without_instruction(image, question):
        return plain(image, question.rpartition(". ")[2])

    engine.encoder = without_instruction
    with pytest.raises(GuardError, match="reads another prompt"):
        answer_group([system], engine, questions)


def test_an_image_that_becomes_fewer_tokens_in_the_engine_is_found(served, questions):
    engine = serve(served)
    full, image_token = engine.encoder, questions.processor.image_token_id

    class Shortened:
        def __call__(self, image, question):
            encoded = full(image, question)
            encoded.ids.remove(image_token)
            return encoded

    engine.encoder = Shortened()
    with pytest.raises(GuardError, match="reads another prompt") as caught:
        answer_group([named(served, "vanilla")], engine, questions)
    expected, found = (int(text.split()[0]) for text in (caught.value.expected, caught.value.found))
    assert expected == found + 1
