"""The cache is bounded by bytes: images of one benchmark take 50 KB, of another 25 MB."""

from kit.model.cache import ByteBoundedCache


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
