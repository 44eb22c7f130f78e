"""The tables of UMU-Bench (NeurIPS 2025, Datasets and Benchmarks): one fact, asked in two ways.

Each fact is asked about an image and in text alone, in three kinds of questions. The benchmark asks
whether unlearning from one modality leaves the fact in the other one.
"""

from kit.benchmarks.modalities import IMAGE_QUESTION, TEXT_QUESTION, Kind, parts_of
from kit.benchmarks.protocol import Heading, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column, Concept

BOTH, MULTIMODAL, TEXT = "both", "multimodal", "text"
OPTIONS, GENERATION, CLOZE = "options", "generation", "cloze"
CONCEPTS = {OPTIONS: Concept.OPTION, GENERATION: Concept.FACT, CLOZE: Concept.CLOZE}

COLUMNS = (Column.EFFICACY, Column.RETAIN, Column.REAL)
# The released evaluation scores real people by the most similar option.
_CHOSEN = {**dict.fromkeys(COLUMNS, "option_hit"), Column.REAL: "option_nearest"}
_KINDS = {
    OPTIONS: Kind("classification", "Cls", "multiple choice", _CHOSEN),
    GENERATION: Kind("generation", "Gen", "free answers", dict.fromkeys(COLUMNS, "rouge_l_f1")),
    CLOZE: Kind("cloze", "Clz", "filled blanks", dict.fromkeys(COLUMNS, "cloze_hit")),
}
_PARTS = parts_of(_KINDS.values())


def part_of(kind: str, modality: str) -> str:
    """Return the name of the part that reports this kind of question."""
    return _KINDS[kind].part(modality)


_SHOWN = tuple((part, column) for part in _PARTS for column in COLUMNS)
_SEEN_FIRST = tuple((part_of(k, IMAGE_QUESTION), part_of(k, TEXT_QUESTION)) for k in _KINDS)

LAYOUT = Protocol(
    parts=_PARTS,
    headings={
        Column.EFFICACY: Heading(
            "Forget", "Forget", "questions about the people to be forgotten: are they still known?"
        ),
        Column.RETAIN: Heading(
            "Retain", "Retain", "the other fictitious people, to be kept: are they still known?"
        ),
        Column.REAL: Heading(
            "Real", "Real people", "people that the base model knows: are they still known?"
        ),
    },
    targets={
        BOTH: TargetLayout("Unlearning from images and from text", _SHOWN),
        MULTIMODAL: TargetLayout("Unlearning from images with questions", _SHOWN),
        TEXT: TargetLayout("Unlearning from questions alone", _SHOWN),
    },
    tables=(
        TableLayout("table1", "Table 1. Unlearning in both modalities", (BOTH,)),
        TableLayout("table2", "Table 2. Multimodal unlearning", (MULTIMODAL,)),
        TableLayout("table3", "Table 3. Unimodal unlearning", (TEXT,)),
    ),
    reading="Lower is better in Forget, higher in Retain and Real people.",
    comparability=(
        "The paper and its tables could not be read when this was written. Formats, prompts and "
        "metrics are those of the released code (github.com/QDRhhhh/UMU-bench, commit 93b9900), so "
        "there are no official values here.",
        "The released scripts unlearn from both modalities in one step: the target `both`. The "
        "targets of one modality are the two arrows of the benchmark's overview figure.",
        "The vanilla model learns each pair of MM_QA with its image and each pair of UM_QA without "
        "one. Of the two released recipes, one shows the image with both, and the other trains on "
        "MM_QA alone.",
        "Every target keeps the pairs of the other people in both modalities. Otherwise, the "
        "presence of an image would decide what is forgotten.",
        "A multiple choice is answered with the text of an option, which must be equal to the "
        "right one; for real people, the most similar option counts. Both are the released rules.",
        "The released code cuts the reference of a blank at its first full stop. Here only a full "
        "stop at its end is left out: 1.82 m stays 1.82 m.",
        "The metrics across modalities of the released code (aligned_accuracy, aligned_error, "
        "aligned_rouge_l and aligned_rouge_l_forget) are in rows.csv and in the report where the "
        'manifest has `metrics = ["aligned"]` in [evaluation].',
        "The released losses train on all tokens, the prompt included. The kit's losses use answer "
        "tokens only.",
    ),
    one_retain_set=True,
    finetune_follows_split=False,
    # No holdout: all fictitious people are learned, and the base model knows the real ones.
    views={
        BOTH: _SEEN_FIRST,
        MULTIMODAL: _SEEN_FIRST,
        TEXT: tuple((text, image) for image, text in _SEEN_FIRST),
    },
    # No kept facts: what a target leaves of its people is the same facts in the other modality.
)
