"""Make a result's RO-Crate and model cards again, and hold its SBOM against run.json.

They say in forms that others read what run.json and the tables say; a result in which they say
something else is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import jinja2

from kit import __version__
from kit.artifacts import readable_json
from kit.errors import KitError, VerificationError
from kit.names import show
from kit.report.model_card import model_card
from kit.report.ro_crate import ro_crate
from kit.result.json_differences import differences
from kit.result.layout import ADAPTERS, BILL, CARD, CRATE, README, RUN
from kit.result.strict_json import parse_json
from kit.result.tables import unusable
from kit.supply_chain.environment import bill_faults
from kit.verification.pages import difference
from kit.verification.planned import planned_by, require_card_of_job

NAMED = 5
Made = TypeVar("Made")


def metadata_files(names: Iterable[str]) -> list[str]:
    """Return which files of a result `compare_metadata` needs: crate, SBOM, cards of all adapters.

    Raises:
        VerificationError: one of them is not among the signed files.
    """
    signed = set(names)
    parts = (name.split("/") for name in signed)
    adapters = sorted({part[1] for part in parts if part[0] == ADAPTERS and len(part) > 2})
    wanted = [f"{ADAPTERS}/{adapter}/{name}" for adapter in adapters for name in (CARD, README)]
    wanted += [BILL, CRATE]
    if missing := [name for name in wanted if name not in signed]:
        raise VerificationError(
            f"the signed result has no {missing[0]}"
            + (f", nor {len(missing) - 1} more such files" if missing[1:] else ""),
            expected=f"{CRATE}, {BILL}, and {CARD} and {README} of every adapter, as version "
            f"{__version__} of the kit writes them",
            remedy="a result of an older version, which did not write them, is verified with that "
            "version, or with --policy integrity; if they were taken away, get the whole result",
        )
    return wanted


def compare_metadata(
    run: Mapping[str, Any], held: Mapping[str, bytes], digests: Mapping[str, str]
) -> None:
    """Compare crate and cards, byte for byte, with those that follow; with run.json what does not.

    Args:
        run: the content of run.json, whose jobs are those of its manifest.
        held: {path in the result: bytes} of `metadata_files`.
        digests: {path in the result: SHA-256} of all signed files.

    Raises:
        VerificationError: one of them says something else, or cannot be made again.
    """
    planned = planned_by(run)
    for name in (name for name in held if name.endswith(f"/{CARD}")):
        card, page = _parsed(held[name], name), name.removesuffix(CARD) + README
        text = _made(partial(model_card, card, run), f"{name} or {RUN}")
        if held[page] != text.encode():
            fault = difference(held[page], text.encode())
            raise _does_not_follow(page, f"{name} and {RUN}", [fault])
        require_card_of_job(card, name.split("/")[1], run, planned)
    bill = _parsed(held[BILL], BILL)
    if faults := _made(lambda: list(bill_faults(bill, run)), RUN):
        raise VerificationError(
            f"{BILL} is not the SBOM of the environment that {RUN} describes",
            expected="its packages in their versions",
            found="\n    ".join(map(show, faults[:NAMED])),
            remedy="do not rely on it; ask the signer how it came to be",
        )
    crate = _made(lambda: ro_crate(run, digests), RUN)
    if held[CRATE] != readable_json(crate):
        faults = list(_crate_faults(held[CRATE], crate)) or [
            difference(held[CRATE], readable_json(crate))
        ]
        raise _does_not_follow(CRATE, f"{RUN} and the digests of the signed files", faults)


def _parsed(data: bytes, name: str) -> Any:
    try:
        return parse_json(data)
    except ValueError as error:
        raise unusable(name, error) from None


def _made(make: Callable[[], Made], name: str) -> Made:
    try:
        return make()
    except KitError as error:
        raise unusable(name, error.what) from error
    except (
        ArithmeticError, LookupError, TypeError, ValueError, AttributeError, jinja2.TemplateError,
    ) as error:  # fmt: skip
        raise unusable(name, f"what describes the result stops at {error!r}") from error


def _crate_faults(data: bytes, right: Mapping[str, Any]) -> Iterator[str]:
    """Yield the entities in which a stored crate is another than the right one."""
    graph = _parsed(data, CRATE)
    graph = graph.get("@graph") if isinstance(graph, dict) else None
    if not isinstance(graph, list) or not all(isinstance(entity, dict) for entity in graph):
        return
    said, follows = ({str(e.get("@id")): e for e in side} for side in (graph, right["@graph"]))
    for name in sorted({*said, *follows}):
        if name not in said:
            yield f"{name} is not in it"
        elif name not in follows:
            yield f"{name} is in it, but not in the result"
        else:
            yield from differences(said[name], follows[name], name)


def _does_not_follow(name: str, origin: str, faults: list[str]) -> VerificationError:
    more = [f"and {len(faults) - NAMED} more"] if len(faults) > NAMED else []
    return VerificationError(
        f"{show(name)} does not follow from {show(origin)}",
        expected=f"what version {__version__} of the kit makes from them",
        found="\n    ".join(map(show, faults[:NAMED] + more)),
        remedy="verify with the version of the kit that run.json names; if that is this one, do "
        "not rely on the file",
    )
