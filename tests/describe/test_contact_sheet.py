"""The contact sheet: size, bytes, content of a cell, and images that cannot be read."""

import dataclasses
import io

import pytest
from PIL import Image, ImageColor

from kit.benchmarks.records import Concept, Record
from kit.describe import contact_sheet as cs
from tests.toys import sets as toy_sets

WIDTH = 2 * 24 + 220 + 8 * 148


def height(rows):
    return 72 + rows * 192 + 24


def draw(root, benchmark=None, output=None):
    made = benchmark or toy_sets.benchmark(root)
    where = output or root / "sheets"
    return cs.write_sheet(toy_sets.manifest(), toy_sets.places(root), made, where)


def rows_of(benchmark):
    protocol = cs.benchmarks.protocol("pebench")
    return cs.choose_rows(cs.evaluated_sets(benchmark, protocol), benchmark)


def cell(image, row, column):
    """Return the picture of a cell, without frame and caption."""
    left, top = 24 + 220 + column * 148, 72 + row * 192 + 12
    return image.crop((left, top, left + 128, top + 128))


def test_a_row_is_a_set_with_images_and_targets_that_share_it_share_the_row(tmp_path):
    rows = rows_of(toy_sets.benchmark(tmp_path))
    assert [row.label for row in rows] == ["P-Eff", "P-World", "E-Eff", "E-Ret"]
    assert rows[1].targets == ("person", "event")
    assert [row.images for row in rows] == [3, 2, 2, 2]
    assert rows_of(toy_sets.benchmark(tmp_path)) == rows


def test_the_picture_has_the_size_of_its_rows_and_shows_their_images(tmp_path):
    sheet = draw(tmp_path)
    assert sheet.path == tmp_path / "sheets" / "contact_sheet.png"
    assert sheet.unreadable == ()
    with Image.open(sheet.path) as image:
        assert image.size == (WIDTH, height(4))
        shown = {cell(image, 0, column).getcolors()[0] for column in range(3)}
        beyond = cell(image, 0, 3).getcolors()
    wanted = {(128 * 128, ImageColor.getrgb(toy_sets.COLOURS[name])) for name in ("a1", "a2", "b1")}
    assert shown == wanted, "64 pixels are enlarged to fill the cell"
    assert beyond == [(128 * 128, (255, 255, 255))]


def test_the_same_data_gives_the_same_bytes_wherever_it_lies(tmp_path):
    first, second = draw(tmp_path / "one"), draw(tmp_path / "two")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert sorted(p.name for p in first.path.parent.iterdir()) == ["contact_sheet.png"]
    Image.new("RGB", (64, 64), "#123456").save(tmp_path / "two" / "a1.png")
    changed = draw(tmp_path / "two", toy_sets_without_drawing(tmp_path / "two"))
    assert changed.path.read_bytes() != first.path.read_bytes()


def toy_sets_without_drawing(root):
    """Return the benchmark on images that a test has changed."""
    kept = {path.name: path.read_bytes() for path in root.glob("*.png")}
    made = toy_sets.benchmark(root)
    for name, data in kept.items():
        (root / name).write_bytes(data)
    return made


def test_it_is_written_to_the_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    made = toy_sets.benchmark(tmp_path)
    sheet = cs.write_sheet(toy_sets.manifest(), toy_sets.places(tmp_path), made, None)
    name = toy_sets.manifest().run_name
    assert sheet.path == tmp_path / "cache" / "describe" / name / "contact_sheet.png"


def with_a_bad_second_chunk(path):
    """Return a PNG that opens, but whose second chunk of pixels has an invalid name."""
    Image.effect_noise((500, 500), 99).save(path, compress_level=0)
    first, second, rest = path.read_bytes().split(b"IDAT", 2)
    return b"IDAT".join([first, second]) + b"\0\0\0\0" + rest


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "missing", "bad chunk"])
def test_an_image_that_cannot_be_read_is_named_and_crossed_out(tmp_path, damage):
    made = toy_sets.benchmark(tmp_path)
    path = tmp_path / "b1.png"
    data = path.read_bytes()
    path.unlink()
    broken = {
        "empty": b"",
        "truncated": data[: len(data) - 30],
        "text": b"not an image",
        "bad chunk": with_a_bad_second_chunk(tmp_path / "large.png"),
    }
    if damage in broken:
        path.write_bytes(broken[damage])
    sheet = draw(tmp_path, made)
    assert sheet.unreadable == ("toy/b1.png",)
    cross = ImageColor.getrgb(cs.CROSS)
    with Image.open(sheet.path) as image:
        cells = [cell(image, 0, column) for column in range(3)]
    crossed = [cross in {colour for _, colour in each.getcolors()} for each in cells]
    assert crossed.count(True) == 1, "the others are drawn"


def test_without_any_image_nothing_is_written(tmp_path):
    made = toy_sets.benchmark(tmp_path)
    blind = {name: dataclasses.replace(each, image=None) for name, each in made.records.items()}
    sheet = draw(tmp_path, dataclasses.replace(made, records=blind))
    assert sheet == cs.Sheet(None, ())
    assert not (tmp_path / "sheets").exists()


def test_of_many_images_eight_are_shown(tmp_path):
    made = toy_sets.benchmark(tmp_path)
    many = {}
    for number in range(11):
        path = tmp_path / f"many{number}.png"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
        name = f"m{number}"
        many[name] = Record(name, Concept.PERSON, "Who?", "Cas", path, "Cas")
        many[f"{name}again"] = Record(f"{name}again", Concept.FACT, "What?", "x", path, "Cas")
    split = dataclasses.replace(
        made.splits["person"], evaluation={("person", "efficacy"): tuple(many)}
    )
    made = dataclasses.replace(made, records=many, splits={"person": split})
    (row,) = rows_of(made)
    assert row.images == 11
    assert len({record.image for record in row.records}) == len(row.records) == 8


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((64, 64), (128, 128)),
        ((40, 20), (120, 60)),
        ((200, 100), (128, 64)),
        ((100, 100), (100, 100)),
        ((1, 1), (128, 128)),
        ((1000, 1), (128, 1)),
    ],
)
def test_an_image_is_fitted_with_its_aspect(tmp_path, size, fitted):
    Image.new("RGB", size, "#336699").save(tmp_path / "x.png")
    assert cs.fit_image(tmp_path / "x.png").size == fitted


def test_enlarging_invents_no_colour_and_transparency_is_paper(tmp_path):
    image = Image.new("RGBA", (2, 1), "#ff0000")
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.save(tmp_path / "x.png")
    colours = {colour for _, colour in cs.fit_image(tmp_path / "x.png").getcolors()}
    assert colours == {(255, 0, 0), (255, 255, 255)}


def test_a_caption_names_person_and_event_or_the_question():
    def texts(record):
        return [text for text, _ in cs.caption_lines(record)]

    known = Record("1", Concept.PERSON, "Who?", "Ada", None, "Ada", "a very long event's name " * 3)
    assert texts(known)[0] == "Ada"
    assert texts(known)[1].endswith("...")
    assert max(map(len, texts(known))) * cs.LETTER <= cs.CELL
    anonymous = Record("2", Concept.PRESENCE, "Is there a very tall tree in the image?", "yes")
    assert texts(anonymous)[-1] == "yes"
    assert " ".join(texts(anonymous)[:-1]) == anonymous.question
    assert len(texts(dataclasses.replace(anonymous, question="tree " * 99))) == 3


def test_letters_that_the_font_lacks_stop_nothing(tmp_path):
    record = Record("1", Concept.PERSON, "Who?", "x", tmp_path / "no.png", "Łukasz 王", "日")
    data, broken = cs.draw_sheet("Ω " * 200, [cs.Row("王" * 50, "é: ü", ("person",), 1, (record,))])
    assert Image.open(io.BytesIO(data)).size == (WIDTH, height(1))
    assert broken == [tmp_path / "no.png"]
