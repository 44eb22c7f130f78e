"""A benchmark of ten records made by hand, in PEBench's tables, with images of one colour each."""

from pathlib import Path

from PIL import Image

from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from tests.toys.dataset import TOY

COLOURS = {"a1": "#ff0000", "a2": "#00ff00", "b1": "#0000ff", "w2": "#ffff00", "g1": "#00ffff"}
NOTE = "2 rows without a name were left out"


def manifest() -> Manifest:
    """Return the toy experiment: title, loader and run name are all that is read of it."""
    return load_manifest(TOY)


def places(root: Path) -> dict[str, Place]:
    """Return where the images lie."""
    return {"toy": Place(root, root / "unpacked")}


def records(root: Path) -> list[Record]:
    """Draw the images under `root` and return the records about them."""
    root.mkdir(parents=True, exist_ok=True)
    images = {name: root / f"{name}.png" for name in COLOURS}
    for name, path in images.items():
        Image.new("RGB", (64, 64), COLOURS[name]).save(path)
    asked, scene = "Who is this person?", "Describe the scene."
    wrong = tuple(f"wrong {letter}" for letter in "abcdef")
    return [
        Record("a1#p", Concept.PERSON, asked, "Ada Sato", images["a1"], "Ada Sato", "fishing"),
        Record("a2#p", Concept.PERSON, asked, "Ada Sato", images["a2"], "Ada Sato", "sailing"),
        Record("b1#p", Concept.PERSON, asked, "Ben Weber", images["b1"], "Ben Weber", "fishing"),
        Record("a1#e", Concept.EVENT, scene, "at sea", images["a1"], "Ada Sato", "fishing"),
        Record("b1#e", Concept.EVENT, scene, "at sea", images["b1"], "Ben Weber", "fishing"),
        Record("a2#e", Concept.EVENT, scene, "under sail", images["a2"], "Ada Sato", "sailing"),
        Record("w1", Concept.PRESENCE, "Is there a sun?", "no"),
        Record("w2", Concept.PRESENCE, "Is there a sun in the image?", "yes", images["w2"]),
        Record("q", Concept.FACT, "Where was\nAda born? " * 20, "Rome", person="Ada Sato",
               candidates=wrong, paraphrase="In Rome"),
        Record("g1", Concept.PERSON, asked, "Old Friend", images["g1"], "Old Friend"),
    ]  # fmt: skip


def benchmark(root: Path) -> Benchmark:
    """Return the benchmark: two targets, one set that no table prints, columns without records."""
    person = Split(
        "person",
        ("a1#p", "a2#p"),
        ("b1#p",),
        {
            ("person", Column.EFFICACY): ("a1#p", "a2#p", "b1#p"),
            ("person", Column.RETAIN): ("q",),
            ("person", Column.WORLD): ("a1#p", "w1", "w2"),
        },
    )
    event = Split(
        "event",
        ("a1#e",),
        ("a2#e", "b1#e"),
        {
            ("event", Column.EFFICACY): ("a1#e", "b1#e"),
            ("event", Column.RETAIN): ("a1#e", "a2#e"),
            ("person", Column.WORLD): ("a1#p", "w1", "w2"),
        },
    )
    return Benchmark(
        "toy",
        by_id(records(root)),
        ("a1#p", "a2#p", "b1#p", "q"),
        {"person": person, "event": event},
        ("g1",),
        notes=(NOTE,),
    )
