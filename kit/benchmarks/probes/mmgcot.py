"""MM-GCoT (arXiv 2503.12799): does the answer stand on the right region of the image?

Files and fields are those of github.com/DoubtedSteam/MM-GCoT at 2f853fb: three JSON lists of
objects with id, img, question, cot, answer, coordinate and qualified. `coordinate` is the box of
the answer, "[x, y, width, height]" as shares of the image (eval.py, `calculate_iou`). `img` names
an image of Visual Genome. Items whose `qualified` is false are asked as well, as there. An id does
not name one question there (392 ids for the 459 attributes): later ones of an id are numbered.

The released code asks for answer and box in two turns. The engine of the kit has one turn, so the
two instructions stand together: this is the kit's own. It also says what the numbers of a box mean,
because the released code converts them by the family of the model.
"""

from collections import Counter
from collections.abc import Iterator

from kit.benchmarks import cells
from kit.benchmarks.parquet import Place
from kit.benchmarks.probes.definition import Probe
from kit.benchmarks.probes.reading import REMEDY, json_rows, key, picture
from kit.benchmarks.records import Concept, Record
from kit.benchmarks.regions import box_in
from kit.errors import DataError

FILES = {name: f"GCoT_dataset_{name}_test.json" for name in ("attributes", "judge", "objects")}
FIELDS = ("id", "img", "question", "answer", "coordinate")
ASKED = (
    "Answer the question using a single word or phrase. Then provide the bounding box coordinate "
    "of the region for the final answer in the format of [x1, y1, x2, y2], each between 0 and 1."
)


def load(place: Place) -> Iterator[Record]:
    """Yield the questions of the three files; `group` is the file.

    The reference of a record is its answer followed by the box as published.

    Raises:
        DataError: a file is missing or not as published, or a coordinate is no box.
    """
    for name, file in FILES.items():
        seen: Counter[str] = Counter()
        for where, row in json_rows(place.path / file, FIELDS):
            said = cells.text(row["answer"], where, "answer")
            box = cells.text(row["coordinate"], where, "coordinate")
            found = box_in(box)
            if found is None or max(found) > 1 or min(found[2:]) <= 0 or "[" in said:
                raise DataError(
                    f"{where}: the answer has no box",
                    expected="an answer, and a coordinate [x, y, width, height] in shares of the "
                    "image, neither width nor height 0",
                    found=f"{said[:60]!r}, {box[:60]!r}",
                    remedy=REMEDY,
                )
            image, number = cells.text(row["img"], where, "img"), key(row, "id", where)
            seen[number] += 1
            yield Record(
                f"{name}/{number}" + (f"/{seen[number]}" if seen[number] > 1 else ""),
                Concept.REGION,
                f"{cells.text(row['question'], where, 'question')}\n{ASKED}",
                f"{said} {box}",
                picture(place.path, image, where, "img"),
                group=name,
            )


PROBE = Probe(
    "answers on the right region (MM-GCoT)",
    "region_consistency",
    load,
    "The probe MM-GCoT (arXiv 2503.12799) asks for answer and box in one turn; the paper asks in "
    "two. Boxes are read as corners, in shares of the image or in thousandths. A model that writes "
    "pixels, such as Qwen2.5-VL, is measured too low.",
)
