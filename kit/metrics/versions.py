"""Which version of each metric a stored result was measured with, and whether this kit has it."""

import re
from collections.abc import Iterable

from kit import __version__, metrics
from kit.errors import VerificationError
from kit.metrics.definition import Definition


def stored_definitions(stored: Iterable[tuple[str, int]], made_by: str) -> dict[str, Definition]:
    """Return {name: definition} that a stored result was measured with, in the registry's order.

    A metric that the result does not name is among them in its newest version if the kit that made
    the result measured it already: its rows are then missing.

    Args:
        stored: (name, version) of every metric that the result's rows name.
        made_by: the version of the kit that made the result.

    Raises:
        VerificationError: this kit does not know a version, or one metric has two.
    """
    chosen: dict[str, Definition] = {}
    for name, version in sorted(set(stored)):
        if name in chosen:
            raise VerificationError(
                f"the result has {name} in two versions",
                expected="one version of each metric",
                found=f"{chosen[name].version} and {version}",
                remedy="do not use these numbers; ask the signer how they came to be",
            )
        chosen[name] = _known(name, version)
    order = [*metrics.DEFINITIONS, *(name for name in chosen if name not in metrics.DEFINITIONS)]
    newest = {
        name: definition
        for name, definition in metrics.DEFINITIONS.items()
        if not _is_later(definition.since, made_by)
    }
    found = {**newest, **chosen}
    return {name: found[name] for name in order if name in found}


def _known(name: str, version: int) -> Definition:
    if (name, version) in metrics.VERSIONS:
        return metrics.VERSIONS[name, version]
    known = [str(number) for other, number in sorted(metrics.VERSIONS) if other == name]
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
