"""The table of all methods in manifests/reference/README.md, and the numbers beside it.

Both come from the report and the tuning file of the signed result, as they lie in the repository.
"""

import json
from collections.abc import Iterator, Sequence

import pandas as pd

from tests.readmes.pages import PROJECT

RESULT = PROJECT / "manifests" / "reference" / "smoke-full" / "report"
TUNED = PROJECT / "manifests" / "tuned" / "smoke-full.json"
TARGETS = ["person", "event", "both"]
COLUMNS = ["P-Eff", "P-Ret"]
ATTACKS = [("relearn", 0.1), ("pgd", 16)]
CONTROLS = ["Vanilla", "Retain-only"]
BACK = "comes back"
NOT_RUN = "\N{EN DASH}"


def gaps() -> pd.DataFrame:
    """Return the distance to Retain-only in points: [labels, targets], the nearest first.

    Methods that were not trained on people are sorted by their distance for both.
    """
    table = pd.read_csv(RESULT / "whole_model.csv", index_col=["target", "method"])
    wide = (100 * table["gap_to_retain_only"]).unstack("target")[TARGETS].drop(CONTROLS)
    return wide.loc[wide["person"].fillna(wide["both"]).sort_values(kind="stable").index]


def attacks() -> pd.DataFrame:
    """Return every attack on every method, by (attack, level, label)."""
    table = pd.read_csv(RESULT / "attacks.csv", index_col=["attack", "level", "label"])
    return table.drop(CONTROLS, level="label").sort_index()


def shares(name: str) -> pd.DataFrame:
    """Return `table1` or `table2` of the report: [labels, columns]; what was not run is NaN."""
    table = pd.read_csv(RESULT / f"{name}.csv", index_col="Method")
    return table.apply(pd.to_numeric, errors="coerce")


def tuned() -> tuple[pd.DataFrame, pd.Series]:
    """Return all attempts of tuning, and the learning rate that each entry was given."""
    said = json.loads(TUNED.read_text(encoding="utf-8"))
    tries = pd.DataFrame(said["attempts"])
    rates = tries.set_index("name")["learning_rate"][list(said["choices"].values())]
    return tries, rates.set_axis(list(said["choices"]))


def table() -> str:
    """Return the table of all methods."""
    head = "| method | person | event | both | P-Eff | P-Ret | relearning 10 % | pixels |"
    first, attacked = shares("table1"), attacks()
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    for label, near in gaps().iterrows():
        cells = [f"{near[target]:.1f}" for target in TARGETS]
        cells += [f"{first[column].get(label, float('nan')):.0f}" for column in COLUMNS]
        cells += [_returned(attacked, (*attack, label)) for attack in ATTACKS]
        lines.append(f"| {label} | {' | '.join(cells).replace('nan', NOT_RUN)} |")
    return "\n".join(lines)


def _returned(attacked: pd.DataFrame, key: tuple[object, ...]) -> str:
    """Return R with its sign, bold where the report says that it comes back."""
    if key not in attacked.index:
        return "nan"
    row = attacked.loc[key]
    return f"**{row['value']:+.2f}**" if row["outcome"] == BACK else f"{row['value']:+.2f}"


def sentences() -> Iterator[str]:
    """Yield what the text below the table says with numbers, or in lists of methods."""
    near, (tries, rates) = gaps(), tuned()
    labels = _tuned_labels(near, tries)
    person = near.loc[labels, "person"]
    yield (
        f"Of the {len(labels)} tuned methods, {(person < 3).sum()} are within 3 points of it for "
        f"people, and {(person < 6).sum()} within 6."
    )
    far = tries.groupby("entry")["distance"].max().ge(0.1).sum()
    yield f"{far} of the {len(labels)} have an attempt that is 10 points or more away"
    ceu = near.loc["CE-U"]
    yield f"CE-U is {ceu['person']:.1f} points away for people and {ceu['event']:.1f} for events"
    kept = shares("table1")["E-Ret"][labels]
    lost = kept[kept < 0.5]
    yield (
        f"{_listed(lost.index)} lose events that they should retain "
        f"(E-Ret {lost.min():.2f} to {lost.max():.2f})"
    )
    both = shares("table2")
    assert rates["ga"] == tries["learning_rate"].min()
    named = 100 - both.loc["GA", "P-Eff"]
    yield f"GA, with the small learning rate chosen for people, still names {named:.0f} % of"
    gru, cmju = both.loc[["GRU", "CMJU"], "P-Ret"]
    yield f"GRU and CMJU retain little as well: they name {gru:.0f} and {cmju:.0f} % of the"
    yield from _attack_sentences(labels)


def _tuned_labels(near: pd.DataFrame, tries: pd.DataFrame) -> list[str]:
    """Return the labels of the methods that were tuned, the nearest first."""
    label_of = pd.read_csv(RESULT / "survival.csv", index_col="entry")["label"]
    tried = set(label_of[tries["entry"].unique()])
    return [label for label in near.index if label in tried]


def _attack_sentences(labels: Sequence[str]) -> Iterator[str]:
    attacked = attacks()
    value, back = attacked["value"], attacked["outcome"] == BACK
    tenth = value.loc["relearn", 0.1]
    returned = tenth[back.loc["relearn", 0.1]]
    yield f"R is {returned.min():.1f} to {returned.max():.1f} for all {len(returned)}"
    none = tenth[labels].abs() < 0.005
    yield f"{_listed(none[none].index)} have an R of 0"
    half = back.loc["relearn", 0.5]
    yield f"After relearning half of the set, only {_listed(half[half].index)} comes back"
    asked = attacked["n"]
    yield f"in a quarter of the {asked.loc['relearn', 0.5].max()} remaining questions"
    assert (attacked.loc["relearn", 0.5]["control"] == 0.25).all()
    pixels = value.loc["pgd", 16][back.loc["pgd", 16]].sort_values(ascending=False)
    yield f"Optimised pixels (PGD, 16/255) bring the name back for {_listed(pixels.index)}."
    assert not back.drop(["relearn", "pgd"], level="attack").any()
    yield "other words, another picture and relearning unrelated data bring nothing back"
    assert "durable" not in set(pd.read_csv(RESULT / "survival.csv")["outcome"])
    yield "No method is called durable"
    yield f"with {asked.min()} to {asked.max()} questions about four people"


def _listed(labels: Sequence[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last
