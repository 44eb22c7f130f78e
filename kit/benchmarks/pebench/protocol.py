"""PEBench's tables: parts, headings and targets, and what the numbers can be compared with."""

from collections.abc import Sequence
from dataclasses import replace

from kit.benchmarks.protocol import Heading, Holdout, Part, Protocol, TableLayout, TargetLayout
from kit.benchmarks.records import Column

PERSON, EVENT = "person", "event"
_HEADLINE = {
    PERSON: {
        Column.EFFICACY: "forget_rate",
        Column.GENERALITY: "forget_rate",
        Column.REWORDED: "forget_rate",
        Column.RETAIN: "name_hit",
        Column.SCOPE: "rouge_l_f1",
        Column.REAL: "name_hit",
        Column.WORLD: "presence_accuracy",
    },
    EVENT: {
        Column.EFFICACY: "event_forget",
        Column.GENERALITY: "event_forget",
        Column.REWORDED: "event_forget",
        Column.RETAIN: "keyword_recall",
        Column.SCOPE: "name_hit",
        Column.REAL: "rouge_l_f1",
        Column.WORLD: "presence_accuracy",
    },
}


def _targets(columns: Sequence[Column]) -> dict[str, TargetLayout]:
    # Scope asks for the other concept. The target "both" forgets that as well, so it has no Scope.
    both = tuple((p, c) for p in (PERSON, EVENT) for c in columns if c is not Column.SCOPE)
    return {
        "person": TargetLayout("Forgetting people", tuple((PERSON, c) for c in columns)),
        "event": TargetLayout("Forgetting events", tuple((EVENT, c) for c in columns)),
        "both": TargetLayout("Forgetting both", both),
    }


LAYOUT = Protocol(
    version=2,
    parts={
        PERSON: Part(PERSON, "P", "people", _HEADLINE[PERSON], "person", company="event"),
        EVENT: Part(EVENT, "E", "events", _HEADLINE[EVENT], "event", company="person"),
    },
    headings={
        Column.EFFICACY: Heading(
            "Eff", "Efficacy", "the images of the forget set that unlearning used: is the concept "
            "forgotten?",
        ),
        Column.GENERALITY: Heading(
            "Gen", "Generality", "other images of the same concept: does forgetting extend to them?"
        ),
        Column.REWORDED: Heading(
            "Rew", "Reworded", "the Efficacy images, asked in words that no training used: is the "
            "concept forgotten, or only the question?",
        ),
        Column.RETAIN: Heading(
            "Ret", "Retain", "what is to be kept, on images that no training used where the "
            "manifest holds some out: is it still known?",
        ),
        Column.SCOPE: Heading(
            "Scope", "Scope", "the forget images, asked about the other concept: is it still known?"
        ),
        Column.REAL: Heading(
            "Real", "Real", "other pictures of people and scenes that the base model knows: are "
            "they still known?",
        ),
        Column.WORLD: Heading(
            "World", "World", "yes/no questions about objects: does the model still see them?"
        ),
    },
    targets=_targets(tuple(_HEADLINE[PERSON])),
    tables=(
        TableLayout("table1", "Table 1. Forgetting people, forgetting events", (PERSON, EVENT)),
        TableLayout("table2", "Table 2. Forgetting people and events at once", ("both",)),
    ),
    reading="Higher is better in every column, as in PEBench.",
    comparability=(
        "The numbers published in PEBench v1 (arXiv 2503.12545) were measured on other data and "
        "models, with unpublished splits, prompts and matching rules. Compare only directions with "
        "them, never values.",
        "PEBench scores events with G-Eval, but does not publish the prompt, the judge snapshot or "
        "the number of samples. The event columns here follow the kit's own protocol: keyword "
        "recall, without a judge.",
        "World is the accuracy of yes/no answers, with equal shares of POPE's three kinds. PEBench "
        "prints one POPE number and does not state its kind, or whether it is accuracy or F1. Here "
        "an answer that begins with neither yes nor no is wrong. POPE's released code reads such "
        "an answer as yes, unless it says no or not: a broken model then keeps an accuracy of "
        "about 50 %, and here it falls to 0. The metrics named `released` follow POPE's code.",
        "P-World and E-World of Table 2 are one number, from the same answers of the same model. "
        "In the paper's Table 2 they differ.",
        "PEBench asks for each concept in one form, and its Retain images are images of training. "
        "Reworded is the kit's own column. Its questions are in no training data.",
        "Generality measures other images of the same concept. As in PEBench, Vanilla was trained "
        "on them too: the column shows how far unlearning extends, not what was memorised.",
        "SIU uses one image of each concept, so most Efficacy images are new to it. When people "
        "and events are forgotten at once, unlearning saw some Generality images with the other "
        "question.",
        "Efficacy of events is 1 minus the recall of keywords. If one keyword of four survives, it "
        "is 0.75, even if that keyword names the event.",
        "Efficacy of people is 100 % for any model that gives no names or random names. Read it "
        "together with Retain, Real and World.",
    ),
    finetune_follows_split=False,
    # Images that no training used, of people and events that were trained on in other images.
    holdout=Holdout(Column.RETAIN, "held_out_percent"),
    kept_facts=frozenset(_targets(())),
)  # fmt: skip
# Version 1 had no Reworded column, and its Retain images were always those of training.
LAYOUT_1 = replace(
    LAYOUT, version=1, targets=_targets([c for c in _HEADLINE[PERSON] if c is not Column.REWORDED])
)
