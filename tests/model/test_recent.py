"""What is kept is bounded by bytes: images of one benchmark take 50 KB, of another 25 MB."""

from kit.model.recent import Recent


def test_the_latest_values_stay_as_long_as_they_fit():
    asked = []

    def double(text):
        asked.append(text)
        return text * 2

    recent = Recent(double, len, room=8)
    assert [recent(text) for text in ("ab", "cd", "ab", "ef", "ab", "cd")] == [
        "abab", "cdcd", "abab", "efef", "abab", "cdcd",
    ]  # fmt: skip
    assert asked == ["ab", "cd", "ef", "cd"], "the one that was not asked for lately went"


def test_a_value_larger_than_the_room_is_returned_and_not_kept():
    asked = []
    recent = Recent(lambda text: asked.append(text) or text * 9, len, room=8)
    assert recent("a") == recent("a") == "a" * 9
    assert asked == ["a", "a"]
