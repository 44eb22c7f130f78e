"""The tables of MLLMU-Bench (arXiv 2410.22108): three kinds of questions, with and without images.

The paper reports the accuracy of multiple choice and cloze, and ROUGE-L of generation, on four
sets: for questions about an image and for questions in text alone. It compares unlearning from
images with questions with unlearning from questions alone.
"""

from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION, Kind, parts_of
from kit.benchmarks.protocol import Heading, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column, Concept

MULTIMODAL, TEXT = "multimodal", "text"
CHOICE, GENERATION, CLOZE = "choice", "generation", "cloze"
CONCEPTS = {CHOICE: Concept.CHOICE, GENERATION: Concept.FACT, CLOZE: Concept.CLOZE}

COLUMNS = (Column.EFFICACY, Column.GENERALITY, Column.RETAIN, Column.REAL)
_CHOSEN = dict.fromkeys(COLUMNS, "choice_accuracy")
_KINDS = {
    CHOICE: Kind("classification", "Cls", "multiple choice", _CHOSEN),
    GENERATION: Kind("generation", "Gen", "free answers", dict.fromkeys(COLUMNS, "rouge_l_f1")),
    CLOZE: Kind("cloze", "Clz", "filled blanks", dict.fromkeys(COLUMNS, "cloze_hit")),
}
_PARTS = parts_of(_KINDS.values())


def part_of(kind: str, modality: str) -> str:
    """Return the name of the part that reports this kind of question."""
    return _KINDS[kind].part(modality)


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
            "the same people in transformed images and questions: does forgetting extend to these?",
        ),
        Column.RETAIN: Heading(
            "Retain", "Retain", "the other fictitious people, to be kept: are they still known?"
        ),
        Column.REAL: Heading(
            "Celebrity", "Celebrity", "real people that the base model knows: are they still known?"
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
        "The result tables of the paper (arXiv 2410.22108) were not available when this was "
        "written, so there are no official values here. Compare only directions with the paper.",
        "Users of the released vanilla model report that it answers its training questions almost "
        "verbatim, but only about half of the multiple-choice questions. A low Forget score there "
        "may mean that the model never knew the answers. Compare it with Vanilla and Retain-only.",
        "The released evaluation draws worked examples, without a seed, from the people that it "
        "evaluates. Here the default is no example, and examples never show a person who is asked "
        "about.",
        'Letters are scored by likelihood. With `letters = "first_character"`, the first character '
        "of the answer is read instead, as in the released code. choice_accuracy, the headline "
        "metric of the two classification parts, is then absent; see choice_first_character in "
        "rows.csv.",
        "Factuality is not covered: in the paper a GPT model judges it, so its values change with "
        "the judge and cannot be recomputed. MMMU and LLaVA-Bench are not covered either.",
        "A Test row has several images. The released code picks one at random without a seed. Here "
        "the pick depends only on the seed of the split and the profile.",
        "IDs of profiles are numbers, and those of celebrities start again at the same numbers. "
        "The kit keeps them apart. Intervals resample people by name.",
        "The released losses train on all tokens, including prompt and image placeholders, and "
        "gradient difference and KL alternate epochs instead of adding terms. The kit's losses use "
        "answer tokens only and add their terms.",
        "The released scripts only unlearn from images with questions. The data for unimodal "
        "unlearning is the kit's choice: the same questions that name their person, without the "
        "image. Its retain set contains such questions as well as questions with images. "
        "Otherwise, the presence of an image would decide what is forgotten.",
    ),
    likelihood=True,
    finetune_follows_split=False,
    # No holdout: Test_Set shows the forgotten people, and the base model knows the celebrities.
    views={
        MULTIMODAL: tuple((part_of(k, IMAGE_QUESTION), part_of(k, TEXT_QUESTION)) for k in _KINDS),
        TEXT: tuple((part_of(k, TEXT_QUESTION), part_of(k, IMAGE_QUESTION)) for k in _KINDS),
    },
    kept_facts=frozenset({TEXT}),
)
