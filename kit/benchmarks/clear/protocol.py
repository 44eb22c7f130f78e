"""The texts of CLEAR's tables: parts, headings, targets, and what the numbers can be held against.

`kit.benchmarks.clear` makes the protocol of them.
"""

from kit.benchmarks.protocol import Heading, Part, TableLayout, TargetLayout
from kit.benchmarks.records import Column

CAPTION, NAME, QA = "caption", "name", "qa"


def _headline(measured: str) -> dict[Column, str]:
    known = {Column.EFFICACY: measured, Column.RETAIN: measured}
    return {**known, Column.WORLD: "answer_share"}


PARTS = {
    CAPTION: Part(CAPTION, "Cap", "captions of pictures", _headline("rouge_l_recall")),
    NAME: Part(
        NAME, "Name", "names on pictures", {**_headline("name_hit"), Column.REAL: "answer_share"}
    ),
    QA: Part(QA, "QA", "answers without a picture", _headline("rouge_l_recall")),
}
HEADINGS = {
    Column.EFFICACY: Heading(
        "Forget", "Forget", "what was learnt about the people to be forgotten: still known?"
    ),
    Column.RETAIN: Heading(
        "Retain", "Retain", "what was learnt about the others: still known? Captions and names "
        "from retain_perturbed, answers from the retain configuration.",
    ),
    Column.REAL: Heading(
        "Real", "Real faces", "pictures of known people: how likely is the right name, of all "
        "options?",
    ),
    Column.WORLD: Heading(
        "World", "Real world", "questions about other pictures: how likely is the right answer, of "
        "all options?",
    ),
}  # fmt: skip
_COLUMNS = tuple((part, c) for part in PARTS for c in PARTS[part].headline if c in HEADINGS)
# In table order, Forget to World, whatever the order in which a part lists its headlines.
COLUMNS = tuple(
    sorted(_COLUMNS, key=lambda pair: (list(PARTS).index(pair[0]), list(Column).index(pair[1])))
)
TARGETS = {
    "multimodal": TargetLayout("Forgetting pictures and text", COLUMNS),
    "text": TargetLayout("Forgetting text alone", COLUMNS),
    "visual": TargetLayout("Forgetting pictures alone", COLUMNS),
}
TABLES = tuple(
    TableLayout(f"table{number}", f"Table {number}. {layout.title}", (target,))
    for number, (target, layout) in enumerate(TARGETS.items(), 1)
)
READING = "Lower is better in the Forget columns, higher in all others."
COMPARABILITY = (
    "Not CLEAR's numbers: the paper prints harmonic means of ROUGE, probability and truth ratio "
    "for each set. Here each metric stands for itself, and no mean is taken.",
    "The released code computes ROUGE without showing the model the image. Here every answer about "
    "an image is given with the image.",
    "The truth ratio is computed for each record, with the definition of TOFU. The released code "
    "replaces each record's perturbed loss by the mean over the whole set, and asks another "
    "question for each perturbed caption; here one question is asked for all.",
    "Forget quality compares distributions of truth ratios with those of the retain-only model; it "
    "belongs to a pair of systems and is not a column here. Hold methods against the line "
    "Retain-only instead.",
    "The caption prompts and the name question are the kit's own, and so is asking for names in "
    "fine-tuning: what the paper's models were asked there is not fully documented.",
    "Retain of captions and names is measured on the rows of retain_perturbed, because the retain "
    "configurations have no perturbations. Their people are checked to be among those to be kept; "
    "that each caption was learnt as well is not.",
    "There is one kind of retain-only model for all targets: it saw neither pictures nor text of "
    "the people to be forgotten. When text or pictures alone are unlearned, the other half of what "
    "is known about these people was never given to the method, and its Forget columns say how far "
    "forgetting reaches.",
    "Real and World measure a probability among the published options, normalised by length. A "
    "model that finds all options equally likely scores 1 / their number, not 0.",
    "World is the same questions in each part, the same answers and the same number.",
    "Published captions are sentences by a language model: their ROUGE recall is not 0 for a model "
    "that knows nothing of the person, because clothes and scene can be seen.",
)
