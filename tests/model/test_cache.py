"""The cache is bounded by bytes: images of one benchmark take 50 KB, of another 25 MB."""

import gc
import tracemalloc

import pytest

from kit.model.cache import ENTRY_BYTES, TOKENS_BYTES, ByteBoundedCache, TokenCache


def test_the_latest_values_stay_as_long_as_they_fit():
    asked = []

    def double(text):
        asked.append(text)
        return text * 2

    cached = ByteBoundedCache(double, len, capacity=8)
    assert [cached(text) for text in ("ab", "cd", "ab", "ef", "ab", "cd")] == [
        "abab", "cdcd", "abab", "efef", "abab", "cdcd",
    ]  # fmt: skip
    assert asked == ["ab", "cd", "ef", "cd"], "the value used least recently was dropped"


def test_a_value_larger_than_the_capacity_is_returned_and_not_kept():
    asked = []
    cached = ByteBoundedCache(lambda text: asked.append(text) or text * 9, len, capacity=8)
    assert cached("a") == cached("a") == "a" * 9
    assert asked == ["a", "a"]


def tokens_of(*texts, with_image):
    """Return 60 tokens that depend on the texts and on the image."""
    first = sum(map(len, texts)) * 1_000 + 500 * with_image
    return [first + place for place in range(60)]


def test_the_questions_of_a_large_table_are_tokenised_once_for_all_systems():
    """20,000 questions, each system asked in the same order: none is dropped before the next."""
    asked = []

    def noted(question, *, with_image):
        asked.append(question)
        return [len(asked)] * 60

    cached = TokenCache(noted)
    questions = [f"Who is number {number}?" for number in range(20_000)]
    first = [cached(question, with_image=True) for question in questions]
    assert [cached(question, with_image=True) for question in questions] == first
    assert asked == questions


def test_tokens_are_those_of_the_texts_and_of_the_image():
    cached = TokenCache(tokens_of)
    for _ in range(2):
        for texts in (("Who?",), ("Who is it?",), ("Who?", "Ada Sato")):
            for shown in (True, False):
                found = cached(*texts, with_image=shown)
                assert found == tokens_of(*texts, with_image=shown)
                found.append(0)  # a caller's list is its own


def test_tokens_are_dropped_where_they_would_take_more_than_the_capacity():
    asked = []

    def noted(question, *, with_image):
        asked.append(question)
        return [7] * 60

    cached = TokenCache(noted, capacity=2 * (ENTRY_BYTES + 4 * 60))
    for question in ("a", "b", "a", "c", "a", "b"):
        cached(question, with_image=False)
    assert asked == ["a", "b", "c", "b"]


@pytest.mark.parametrize("length", [10, 60, 300])
def test_the_bytes_that_are_counted_are_those_that_python_takes(length):
    """Counted are a few more: 64 MiB is what a worker spends on tokens at most."""
    count, questions = 5_000, [f"question {number}" for number in range(5_000)]
    cached = TokenCache(lambda question, *, with_image: list(range(50_000, 50_000 + length)))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for question in questions:
        cached(question, with_image=True)
    gc.collect()
    taken = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    counted = ENTRY_BYTES + 4 * length
    assert 0.8 * counted < taken <= counted
    assert TOKENS_BYTES // (ENTRY_BYTES + 4 * 60) > 8_000 * 10
