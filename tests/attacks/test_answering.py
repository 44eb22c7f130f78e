"""What is the same question to the same system under two targets is asked once."""

from pathlib import Path

import pytest
from PIL import Image

from kit.benchmarks.records import Concept, Record
from kit.errors import GuardError
from kit.evaluation.asking import _stored
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


def test_another_process_sees_a_picture_of_an_attack_whole_or_not_at_all(tmp_path, monkeypatch):
    """Workers attack systems side by side, and their pictures are the same files."""
    picture, seen = Image.new("RGB", (8, 8), "red"), []
    save = Image.Image.save

    def watched(image, *arguments, **more):
        save(image, *arguments, **more)
        seen.append(list(tmp_path.glob("*.png")))

    monkeypatch.setattr(Image.Image, "save", watched)
    path, digest = _stored(picture, tmp_path)
    assert seen == [[]], "its name appears when all of it is there"
    assert (path.name, list(tmp_path.iterdir())) == (f"{digest[:32]}.png", [path])
    assert _stored(picture, tmp_path) == (path, digest)
