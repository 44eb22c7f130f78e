"""Which version of each metric a stored result was measured with, and whether this kit has it."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from kit import __version__
from kit.errors import VerificationError
from kit.metrics.definition import Definition
from kit.metrics.families import (
    OF_SYSTEMS,
    answer_metrics,
    system_metrics,
    versions_of_answers,
    versions_of_systems,
)
from kit.metrics.system_metric import SystemMetric

Metric = TypeVar("Metric", Definition, SystemMetric)
OF_ALL_SYSTEMS = frozenset(each.name for family in OF_SYSTEMS.values() for each in family)


def stored_definitions(
    stored: Iterable[tuple[str, int]], made_by: str, families: Iterable[str] = ()
) -> dict[str, Definition]:
    """Return {name: definition} that a stored result was measured with, in the registry's order.

    A metric that the result does not name is among them in its newest version if the kit that made
    the result measured it already: its rows are then missing. Metrics of whole systems are not
    among them.

    Args:
        stored: (name, version) of every metric that the result's rows name.
        made_by: the version of the kit that made the result.
        families: those that its manifest asks for.

    Raises:
        VerificationError: this kit does not know a version, or one metric has two.
    """
    named = [(name, version) for name, version in stored if name not in OF_ALL_SYSTEMS]
    return _measured_with(named, answer_metrics(families), versions_of_answers(), made_by)


def stored_system_metrics(
    stored: Iterable[tuple[str, int]], made_by: str, families: Collection[str]
) -> dict[str, SystemMetric]:
    """Return {name: metric of whole systems} that a stored result was measured with.

    Arguments and errors are as for `stored_definitions`; what no family asks for is left out.
    """
    newest, versions = system_metrics(families), versions_of_systems(families)
    named = [(name, version) for name, version in stored if name in newest]
    return _measured_with(named, newest, versions, made_by)


def _measured_with(
    stored: Iterable[tuple[str, int]],
    newest: Mapping[str, Metric],
    versions: Mapping[tuple[str, int], Metric],
    made_by: str,
) -> dict[str, Metric]:
    chosen: dict[str, Metric] = {}
    for name, version in sorted(set(stored)):
        if name in chosen:
            raise VerificationError(
                f"the result has {name} in two versions",
                expected="one version of each metric",
                found=f"{chosen[name].version} and {version}",
                remedy="do not use these numbers; ask the signer how they came to be",
            )
        chosen[name] = _known(name, version, versions)
    order = [*newest, *(name for name in chosen if name not in newest)]
    expected = {n: each for n, each in newest.items() if not _is_later(each.since, made_by)}
    found = {**expected, **chosen}
    return {name: found[name] for name in order if name in found}


def _known(name: str, version: int, versions: Mapping[tuple[str, int], Metric]) -> Metric:
    if (name, version) in versions:
        return versions[name, version]
    known = [str(number) for other, number in sorted(versions) if other == name]
    raise VerificationError(
        f"this version of the kit cannot compute version {version} of the metric {name}",
        expected=f"version {' or '.join(known)} of it, which kit {__version__} knows"
        if known
        else f"a metric that kit {__version__} knows; it has none of this name",
        found=f"{name}/{version}",
        remedy="verify with a newer version of the kit, or with the one that made the result",
    )


def _is_later(version: str, than: str) -> bool:
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> list[int]:
    """Return the leading numbers of a version; those of what is no version are above all others."""
    found = re.match(r"\d{1,9}(\.\d{1,9})*", version)
    return [int(part) for part in found[0].split(".")] if found else [10**9]
