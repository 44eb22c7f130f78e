"""What is the same question to the same system under two targets is asked once."""

from pathlib import Path

import pytest

from kit.benchmarks.records import Concept, Record
from kit.errors import GuardError
from kit.evaluation.attacking import answer_once
from kit.evaluation.engines import Answer, Request


class Echo:
    """Answers with system, question and picture; `asked` are the requests that it got."""

    def __init__(self, lost=0):
        self.asked, self.lost = [], lost

    def answer(self, requests):
        self.asked += requests
        return [
            Answer(r.record_id, r.system, f"{r.system} {r.record.question} {r.record.image}", (1,),
                   "eos")
            for r in requests[self.lost :]
        ]  # fmt: skip


def request(name, system="vanilla", question="Who?", image="a.png"):
    return Request(Record(name, Concept.PERSON, question, "Ada", Path(image)), system)


def test_equal_questions_to_one_system_are_asked_once_and_all_are_answered():
    engine = Echo()
    requests = [
        request("person/r"), request("both/r"), request("s", system="npo"),
        request("q", question="Name!"), request("i", image="b.png"),
    ]  # fmt: skip
    found = answer_once(requests, engine)
    assert len(engine.asked) == 4
    assert {name: answer.text for name, answer in found.items()} == {
        r.record_id: f"{r.system} {r.record.question} {r.record.image}" for r in requests
    }


def test_an_answer_that_the_engine_loses_is_missed():
    with pytest.raises(GuardError, match="do not match the questions"):
        answer_once([request("a"), request("b", image="b.png")], Echo(lost=1))
