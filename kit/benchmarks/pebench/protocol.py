"""PEBench's tables: parts, headings and targets, and what the numbers can be held against."""

from kit.benchmarks.protocol import Heading, Part, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column

PERSON, EVENT = "person", "event"
_FORGOTTEN = {
    PERSON: ("forget_rate", "forget_rate", "name_hit", "rouge_l_f1", "name_hit"),
    EVENT: ("event_forget", "event_forget", "keyword_recall", "name_hit", "rouge_l_f1"),
}
_HEADLINE = {
    part: dict(zip(Column, (*metrics, "presence_accuracy"), strict=True))
    for part, metrics in _FORGOTTEN.items()
}
# Scope asks for the other concept, which is forgotten as well when both are the target.
_BOTH = tuple((p, c) for p in (PERSON, EVENT) for c in Column if c is not Column.SCOPE)
LAYOUT = Protocol(
    parts={
        PERSON: Part(PERSON, "P", "people", _HEADLINE[PERSON], cluster="person"),
        EVENT: Part(EVENT, "E", "events", _HEADLINE[EVENT], cluster="event"),
    },
    headings={
        Column.EFFICACY: Heading(
            "Eff", "Efficacy", "the forget images that unlearning is given: is the concept "
            "forgotten?",
        ),
        Column.GENERALITY: Heading(
            "Gen", "Generality", "other images of the same concept: does forgetting reach them?"
        ),
        Column.RETAIN: Heading(
            "Ret", "Retain", "what should be kept, from the retain set that unlearning may use: "
            "still known?",
        ),
        Column.SCOPE: Heading(
            "Scope", "Scope", "the forgotten images, asked for the other concept: is it untouched?"
        ),
        Column.REAL: Heading(
            "Real", "Real", "other pictures of people and scenes that the base model knew: is it "
            "still right?",
        ),
        Column.WORLD: Heading(
            "World", "World", "yes/no questions about objects: does the model still see?"
        ),
    },
    targets={
        "person": TargetLayout("Forgetting people", tuple((PERSON, c) for c in Column)),
        "event": TargetLayout("Forgetting events", tuple((EVENT, c) for c in Column)),
        "both": TargetLayout("Forgetting both", _BOTH),
    },
    tables=(
        TableLayout("table1", "Table 1. Forgetting people, forgetting events", (PERSON, EVENT)),
        TableLayout("table2", "Table 2. Forgetting people and events at once", ("both",)),
    ),
    reading="Higher is better in every column, as in PEBench.",
    comparability=(
        "The numbers published in PEBench v1 (arXiv 2503.12545) were measured on other data and "
        "models, with splits, prompts and matching rules that are not published. Hold only "
        "directions against them, never values.",
        "PEBench scores events with G-Eval; its prompt, judge snapshot and number of samples are "
        "not published. The event columns here are the kit's own protocol, keyword recall, without "
        "a judge.",
        "World is the accuracy of yes/no answers, of POPE's three kinds in equal parts. PEBench "
        "prints one POPE number and says neither of which kind it is nor whether it is accuracy or "
        "F1.",
        "P-World and E-World of Table 2 are the same answers of the same model. In the paper's "
        "Table 2 they differ.",
        "Generality measures other images of the same concept. Vanilla was trained on them too, as "
        "in PEBench: the column is about how far unlearning reaches, not about memorisation.",
        "SIU is given one image of each concept, so most Efficacy images are new to it. Forgetting "
        "both at once, some Generality images were seen with the other question.",
        "Efficacy of events is 1 minus the share of keywords: one word of four that survives "
        "leaves 0.75, and it may be the word that names the event.",
        "Efficacy in people is 100 % for any model that names nobody, or anybody, at random. It "
        "means something only beside Retain, Real and World.",
    ),
    finetune_follows_split=False,
)  # fmt: skip
