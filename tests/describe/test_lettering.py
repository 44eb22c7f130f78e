"""Names in the contact sheet: every letter is drawn, or is written so that a person can tell it."""

import pytest
from PIL import ImageFont

from kit.describe import lettering
from kit.describe.lettering import picture_of, readable

NAMES = ["Łukasz Żak", "Šárka Nová", "Đorđe Šćepanović", "Иван Петров", "Ωρίων", "Ğülşen"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Łukasz Żak", "Lukasz Zak"),
        ("Đorđe Šćepanović", "Dorde Scepanovic"),
        ("Renée Müller", "Renée Müller"),
        ("Rene\u0301e", "Renée"),
        ("İlknur", "Ilknur"),
        ("李", "U+674E "),
        ("Иван", "U+0418 U+0432 U+0430 U+043D "),
        ("", ""),
    ],
)
def test_without_a_font_letters_lose_their_marks_or_become_code_points(name, expected):
    assert readable(name) == expected


def has_system_font():
    return any(lettering._font(name, lettering.SIZE) for name in lettering.SYSTEM_FONTS)


@pytest.mark.skipif(not has_system_font(), reason="this machine has none of the fonts")
@pytest.mark.parametrize("name", NAMES)
def test_a_font_of_the_system_draws_what_the_bitmap_font_does_not_have(name):
    drawn = picture_of(name)
    assert drawn is not None
    plain = picture_of(readable(name))
    assert bytes(drawn.tobytes()) != bytes(plain.tobytes()), "not the replacement"
    assert picture_of(name[:-1] + "x").tobytes() != drawn.tobytes(), "each letter shows"


@pytest.mark.parametrize("name", [*NAMES, "李小龍", "  ", "\u0301"])
def test_no_name_fails_without_any_font_of_the_system(name, monkeypatch):
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ())
    drawn = picture_of(name)
    assert drawn is None or drawn.getbbox() or not name.strip()


def test_latin_text_is_drawn_as_before_wherever_it_is_drawn(monkeypatch):
    mask = ImageFont.load_default_imagefont().getmask("Renée 7", "L")
    monkeypatch.setattr(lettering, "_font_with", lambda *_: pytest.fail("no font is looked for"))
    drawn = picture_of("Renée 7", scale=2)
    assert drawn.size == (mask.size[0] * 2, mask.size[1] * 2)
