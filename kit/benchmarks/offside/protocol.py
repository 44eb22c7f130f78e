"""The tables of OFFSIDE (arXiv 2510.22535): rumours about football players, seen in one image each.

Every image has questions about shared facts, which are the same in all images of a player, and
about private ones, which differ. The image with a rumour is forgotten, and the player's others are
kept.
"""

from kit.benchmarks.protocol import Heading, Part, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column

COMPLETE, SELECTIVE = "complete", "selective"
PRIVATE, SHARED = "private", "shared"
GENERATION, CLASSIFICATION = "generation", "classification"

KEPT = (Column.RETAIN, Column.REAL)  # Real holds the test set: the kept images in altered form
COLUMNS = (Column.EFFICACY, Column.SCOPE, *KEPT)
_KINDS = {
    GENERATION: ("Gen", "free answers", "rouge_l_f1"),
    CLASSIFICATION: ("Cls", "multiple choice", "choice_accuracy"),
}
_FACTS = {PRIVATE: ("P", "private facts"), SHARED: ("S", "shared facts")}


def part_of(kind: str, facts: str) -> str:
    """Return the name of the part that reports this kind of question about these facts."""
    return f"{kind}-{facts}"


def _part(kind: str, facts: str) -> Part:
    short, title, metric = _KINDS[kind]
    letter, about = _FACTS[facts]
    return Part(
        part_of(kind, facts),
        f"{short}{letter}",
        f"{title}, {about}",
        dict.fromkeys(COLUMNS, metric),
        cluster="group",
    )


_PARTS = {part_of(kind, facts): _part(kind, facts) for kind in _KINDS for facts in _FACTS}


def asked_in(target: str, part: str) -> Column:
    """Return the column of a part's questions about the rumour's image: Forget, or Scope."""
    kept = target == SELECTIVE and part.endswith(SHARED)
    return Column.SCOPE if kept else Column.EFFICACY


def _layout(target: str, title: str) -> TargetLayout:
    return TargetLayout(
        title,
        tuple((part, column) for part in _PARTS for column in (asked_in(target, part), *KEPT)),
    )


LAYOUT = Protocol(
    parts=_PARTS,
    headings={
        Column.EFFICACY: Heading(
            "Forget", "Forget", "questions about the images with a rumour: is it still told?"
        ),
        Column.SCOPE: Heading(
            "Scope", "Scope", "the shared facts, asked about the same images, to be kept"
        ),
        Column.RETAIN: Heading(
            "Retain", "Retain", "the same players in their other images, to be kept"
        ),
        Column.REAL: Heading("Test", "Test", "the retain images in altered form, to be kept"),
    },
    targets={
        COMPLETE: _layout(COMPLETE, "Complete unlearning"),
        SELECTIVE: _layout(SELECTIVE, "Selective unlearning"),
    },
    tables=(
        TableLayout("table1", "Table 1. Complete unlearning", (COMPLETE,)),
        TableLayout("table2", "Table 2. Selective unlearning", (SELECTIVE,)),
    ),
    reading="Lower is better in Forget, higher in Scope, Retain and Test.",
    comparability=(
        "The body of the paper and the data on the hub could not be read when this was written. "
        "Fields, names of sets and prompts are those of the released code "
        "(github.com/zh121800/OFFSIDE, commit 91884c7). Its README gives fourteen questions; other "
        "wordings are recognised by their words, as training data of an earlier commit (90f5ac6), "
        "read in part, shows them. There are no official values here.",
        "The vanilla model learns the forget and the retain set. What the released finetune_set "
        "holds beside them could not be read.",
        "Retain-only knows the shared facts of every player from the retain images. So only "
        "private facts can be forgotten by these tables: in complete unlearning, the report calls "
        "the parts of shared facts not eligible.",
        "Selective unlearning forgets the private facts of the rumour's image. The released code "
        "has a file forget_set_part.json for it, which could not be read: here, the words of a "
        "question decide which fact it asks for.",
        "Letters are scored by likelihood. The released code reads `The answer is A` or a single "
        "letter.",
        "Not covered: the judge (a GPT model), corrective relearning, prompt attacks, visual "
        "rumours, unimodal unlearning, and MMBench.",
        "The released losses of gradient difference, KL and PO alternate between forget and retain "
        "batches. The kit's losses add their terms.",
    ),
    likelihood=True,
    one_retain_set=True,
    finetune_follows_split=False,
)
