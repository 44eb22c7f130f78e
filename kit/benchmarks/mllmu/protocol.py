"""The tables of MLLMU-Bench (arXiv 2410.22108): three kinds of questions, with and without image.

The paper reports accuracy of multiple choice and cloze and ROUGE-L of generation on four sets, each
for questions about an image and for questions in text alone. It compares unlearning that is given
images and questions with unlearning that is given the questions only.
"""

from kit.benchmarks.protocol import Heading, Part, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column, Concept

MULTIMODAL, TEXT = "multimodal", "text"
IMAGE_QUESTION, TEXT_QUESTION = "image", "text"
CHOICE, GENERATION, CLOZE = "choice", "generation", "cloze"
CONCEPTS = {CHOICE: Concept.CHOICE, GENERATION: Concept.FACT, CLOZE: Concept.CLOZE}

COLUMNS = (Column.EFFICACY, Column.GENERALITY, Column.RETAIN, Column.REAL)
_KINDS = {
    CHOICE: ("classification", "Cls", "multiple choice", "choice_accuracy"),
    GENERATION: ("generation", "Gen", "free answers", "rouge_l_f1"),
    CLOZE: ("cloze", "Clz", "filled blanks", "cloze_hit"),
}
_MODALITIES = {IMAGE_QUESTION: ("I", "with the image"), TEXT_QUESTION: ("T", "in text alone")}


def part_of(kind: str, modality: str) -> str:
    """Return the name of the part that a kind of question is reported in."""
    return f"{_KINDS[kind][0]}-{modality}"


def _part(kind: str, modality: str) -> Part:
    _, short, title, metric = _KINDS[kind]
    letter, said = _MODALITIES[modality]
    headline = dict.fromkeys(COLUMNS, metric)
    return Part(part_of(kind, modality), f"{short}{letter}", f"{title} {said}", headline)


_PARTS = {
    part_of(kind, modality): _part(kind, modality) for kind in _KINDS for modality in _MODALITIES
}
_SHOWN = tuple((part, column) for part in _PARTS for column in COLUMNS)

LAYOUT = Protocol(
    parts=_PARTS,
    headings={
        Column.EFFICACY: Heading(
            "Forget", "Forget", "questions about the people to be forgotten: are they still known?"
        ),
        Column.GENERALITY: Heading(
            "Test",
            "Test",
            "the same people in transformed images and questions: does forgetting reach them?",
        ),
        Column.RETAIN: Heading(
            "Retain", "Retain", "the other fictitious people, to be kept: still known?"
        ),
        Column.REAL: Heading(
            "Celebrity", "Celebrity", "real people whom the base model knows: still known?"
        ),
    },
    targets={
        MULTIMODAL: TargetLayout("Unlearning from images with questions", _SHOWN),
        TEXT: TargetLayout("Unlearning from questions alone", _SHOWN),
    },
    tables=(
        TableLayout("table1", "Table 1. Multimodal unlearning", (MULTIMODAL,)),
        TableLayout("table2", "Table 2. Unimodal unlearning", (TEXT,)),
    ),
    reading="Lower is better in Forget and Test, higher in Retain and Celebrity.",
    comparability=(
        "The result tables of the paper (arXiv 2410.22108) could not be had when this was written, "
        "so no official value stands beside these. Hold only directions against the paper.",
        "Users of the released vanilla model report that it answers its training questions almost "
        "verbatim and about half of the multiple-choice letters: a low Forget in letters may be a "
        "model that never knew them. Read it beside Vanilla and Retain-only.",
        "The released evaluation shows worked examples drawn without seed from the very people "
        "that it evaluates. Here the default is no example, and examples never show a person who "
        "is asked about.",
        'Letters are scored by likelihood. With `letters = "first_character"` the first '
        "character of the answer is read instead, as the released code does; choice_accuracy, and "
        "with it the headline of the two classification parts, is then absent and "
        "choice_first_character stands in the rows.",
        "Factuality, which the paper lets a GPT model judge, is not covered: its verdicts move "
        "with the judge and cannot be recomputed. MMMU and LLaVA-Bench are not covered either.",
        "A Test row has several images, of which the released code picks one at random without "
        "seed. Here the pick is a function of the split's seed and the profile.",
        "IDs of profiles are numbers, and those of celebrities begin again: the kit keeps the two "
        "apart. Intervals resample people by name.",
        "The released losses train on all tokens, prompt and image placeholders included, and its "
        "gradient difference and KL alternate epochs instead of adding terms. The kit's losses "
        "are on answer tokens, and their terms are added.",
        "The released scripts unlearn from images and questions only. What unimodal unlearning is "
        "given is the kit's choice: the same questions that name their person, without the image. "
        "Its retain set holds such questions beside those with images, or else whether an image "
        "is there would decide what is to be forgotten.",
    ),
    likelihood=True,
    finetune_follows_split=False,
)
