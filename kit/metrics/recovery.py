"""What comes back under an attack, beyond what the same attack brings up in Retain-only.

Let k(s, X) be how well system s knows a record under attack X, in [0, 1], and k(s) without one.
With c for Retain-only, which never saw the record, the recovery of s under X is

    R(s, X) = [k(s, X) - k(c, X)] - [k(s) - k(c)],

in [-2, 2], the mean over the records. What an attack teaches or tells to a model that never knew,
it does not bring back; and what was never forgotten does not come back either. R(c, X) is 0. The
control makes the difference to published attacks, which measure what can be learned as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kit.benchmarks.records import Column
from kit.experiment.attack import Condition
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.metrics.attacked import Attacked
from kit.metrics.eligibility import DRAWS, MARGIN, eligible
from kit.metrics.intervals import DIFFERENCES, INTERVAL_ERROR
from kit.metrics.rows import Measured
from kit.metrics.statistics import bounded_mean
from kit.result.run_file import System, entries

LIMITS = (-2.0, 2.0)  # of a recovery
DECIMALS = 6


@dataclass(frozen=True)
class Recovery:
    """The recovery of one or several systems under one attack, record by record.

    `ids` are the records, `values` their recoveries [n], `apart` [n] how much better the systems
    know them under attack than Retain-only does, and `clusters` [n] codes of the people (or
    events). `before` and `under` are the mean knowledge of the systems without and with the attack,
    `control_before` and `control` those of Retain-only; each in [0, 1].
    """

    ids: tuple[str, ...]
    values: np.ndarray
    apart: np.ndarray
    clusters: np.ndarray
    before: float
    under: float
    control_before: float
    control: float


def recovery(
    measured: Measured, systems: Sequence[str], target: str, part: str, condition: Condition
) -> Recovery | str:
    """Return the recovery of systems, the mean over them for each record, or why there is none.

    Args:
        systems: names of the systems of one method: one for each seed.
        target, part: whose Efficacy column is asked.
        condition: the attack.
    """
    attacked = measured.attacked
    if attacked is None or condition not in attacked.conditions:
        return f"the attack {condition} was not run"
    asked = {key[2] for key in attacked.under if (key[1], key[3]) == (target, condition)}
    if asked and part not in asked:
        return f"the attack {condition} asks none of these questions"
    controls = names_of(measured, RETAIN_ONLY, target)
    if not controls:
        return "there is no Retain-only model to compare with"
    pairs = []
    for names in (systems, controls):
        found = [_known(attacked, name, target, part, condition) for name in names]
        if not found or any(each is None for each in found):
            return f"{', '.join(names) or 'the system'} was not attacked for target {target}"
        pairs.append([each for each in found if each is not None])
    (own, control) = ({name: _mean(side, name) for name in side[0]} for side in pairs)
    ids = sorted(name for name in own if name in control)
    kept = [n for n in ids if np.isfinite([*own[n], *control[n]]).all()]
    if not kept:
        return "no record has a value with and without the attack, for the system and Retain-only"
    apart, clean = (np.array([own[n][at] - control[n][at] for n in kept]) for at in (1, 0))
    place = next(g for g in measured.groups if (g.target, g.part, g.column)
                 == (target, part, Column.EFFICACY))  # fmt: skip
    codes = dict(zip(place.ids, place.clusters(measured.scores).tolist(), strict=True))
    return Recovery(
        ids=tuple(kept),
        values=apart - clean,
        apart=apart,
        clusters=np.array([codes[name] for name in kept]),
        before=_average(own[name][0] for name in kept),
        under=_average(own[name][1] for name in kept),
        control_before=_average(control[name][0] for name in kept),
        control=_average(control[name][1] for name in kept),
    )


def blind(measured: Measured, target: str, part: str, condition: Condition) -> str:
    """Return why an attack can show nothing here, or "" if it can.

    Something must be there to be forgotten at all. And under the attack, Vanilla must still know it
    clearly better than Retain-only: if even a model that forgot nothing does not tell under this
    attack, or one that never knew learns it from the attack, silence proves nothing.
    """
    if why := eligible(measured, target, part):
        return why
    vanilla = names_of(measured, VANILLA, target)
    found = recovery(measured, vanilla, target, part, condition)
    if isinstance(found, str):
        return found
    bounds = bounded_mean(
        found.apart, np.arange(len(found.apart)), limits=DIFFERENCES,
        key=("eligible under attack", target, part, *condition), draws=DRAWS, error=INTERVAL_ERROR,
    )  # fmt: skip
    if (bounds.low or 0.0) > MARGIN:
        return ""
    return (
        "under this attack, Vanilla does not know it clearly better than Retain-only "
        f"({found.under:.2f} and {found.control:.2f})"
    )


def kept_share(
    measured: Measured, entry: str, target: str, part: str, condition: Condition
) -> float | None:
    """Return how much a method still knows without the attack, as a share of Vanilla.

    Both are taken beyond Retain-only, over the records that the attack asks. It is 0 where Vanilla
    knows these no better than Retain-only, and None without answers under the attack.
    """
    apart = []
    for each in (entry, VANILLA):
        found = recovery(measured, names_of(measured, each, target), target, part, condition)
        if isinstance(found, str):
            return None
        apart.append(found.before - found.control_before)
    return round(apart[0] / apart[1], DECIMALS) if apart[1] > 0 else 0.0


def names_of(measured: Measured, entry: str, target: str) -> list[str]:
    """Return the systems of an entry that are measured for a target."""
    found: Sequence[System] = entries(measured.systems).get(entry, [])
    return [system["name"] for system in found if system["target"] in (None, target)]


Pair = tuple[float, float]


def _known(
    attacked: Attacked, system: str, target: str, part: str, condition: Condition
) -> Mapping[str, Pair] | None:
    """Return {record: knowledge without and with the attack} of a system; None without answers."""
    under = attacked.under.get((system, target, part, condition))
    if under is None:
        return None
    clean = attacked.clean[system, target, part]
    return {name: (clean.get(name, np.nan), value) for name, value in under.items()}


def _mean(found: Sequence[Mapping[str, Pair]], name: str) -> Pair:
    """Return the mean over systems of one record's pair; NaN where one of them lacks it."""
    pairs = np.array([each.get(name, (np.nan, np.nan)) for each in found])
    clean, under = pairs.mean(axis=0)
    return float(clean), float(under)


def _average(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), DECIMALS)
