"""What is the same question to the same system under two targets is asked once."""

import os
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
    picture, drawn, named = Image.new("RGB", (8, 8), "red"), [], []
    save, replace = Image.Image.save, os.replace

    def saved(image, *arguments, **more):
        save(image, *arguments, **more)
        drawn.append(list(tmp_path.glob("*.png")))

    def replaced(source, target):
        with Image.open(source) as whole:
            named.append((list(tmp_path.glob("*.png")), whole.convert("RGB").tobytes()))
        replace(source, target)

    monkeypatch.setattr(Image.Image, "save", saved)
    monkeypatch.setattr(os, "replace", replaced)
    path, digest = _stored(picture, tmp_path)
    assert drawn == [[]]
    assert named == [([], picture.tobytes())], "its name appears when all of it is there"
    assert (path.name, list(tmp_path.iterdir())) == (f"{digest[:32]}.png", [path])
    assert _stored(picture, tmp_path) == (path, digest)
    assert len(drawn) == 1, "an equal picture is not drawn again"


def test_pictures_of_equal_bytes_and_another_size_are_two(tmp_path):
    high, wide = (_stored(Image.new("RGB", size), tmp_path) for size in ((2, 8), (8, 2)))
    assert high[0] != wide[0]
    assert Image.open(high[0]).size == (2, 8)
    assert Image.open(wide[0]).size == (8, 2)
