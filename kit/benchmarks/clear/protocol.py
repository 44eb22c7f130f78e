"""The texts of CLEAR's tables: parts, headings, targets, and what the numbers can be compared with.

`kit.benchmarks.clear` builds the protocol from them.
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
        "Forget", "Forget", "what was learned about the people to be forgotten: is it still known?"
    ),
    Column.RETAIN: Heading(
        "Retain", "Retain", "what was learned about the other people: is it still known? Captions "
        "and names come from retain_perturbed, answers from the retain configuration.",
    ),
    Column.REAL: Heading(
        "Real", "Real faces", "pictures of known people: how likely is the right name among all "
        "options?",
    ),
    Column.WORLD: Heading(
        "World", "Real world", "questions about other pictures: how likely is the right answer "
        "among all options?",
    ),
}  # fmt: skip
_COLUMNS = tuple((part, c) for part in PARTS for c in PARTS[part].headline if c in HEADINGS)
# In table order from Forget to World, not in the order of a part's headlines.
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
    "These are not CLEAR's numbers. The paper prints harmonic means of ROUGE, probability and "
    "truth ratio for each set. Here each metric is reported separately, without a mean.",
    "The released code computes ROUGE without showing the image to the model. Here every question "
    "about an image is asked with the image.",
    "The truth ratio is computed for each record, as TOFU defines it. The released code replaces "
    "each record's perturbed loss by the mean over the whole set, and asks a different question "
    "for each perturbed caption. Here all captions of a record answer the same question.",
    "Forget quality compares the distribution of truth ratios with that of the retain-only model. "
    "It is a property of two systems and therefore not a column. Compare methods with the "
    "Retain-only row instead.",
    "The caption prompts and the name question are the kit's own. So is training on names: the "
    "paper does not fully document what its models were asked in fine-tuning.",
    "Retain for captions and names is measured on the rows of retain_perturbed, because the retain "
    "configurations have no perturbations. The kit checks that the people in these rows are among "
    "those to be kept. It does not check that each caption was trained on.",
    "One retain-only model serves all targets. It saw neither pictures nor text of the people to "
    "be forgotten. When only text or only pictures are unlearned, the method never sees the other "
    "half of what is known about these people. The Forget columns of that half show how far "
    "forgetting extends.",
    "Real and World are the probability of the right answer among the published options, "
    "normalised by length. A model that finds all options equally likely scores 1 / their number, "
    "not 0.",
    "World has the same questions, answers and number in each part.",
    "Published captions were written by a language model. Their ROUGE recall is not 0 for a model "
    "that knows nothing about the person, because clothes and scene are visible.",
)
