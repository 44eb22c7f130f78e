"""Hold a result's RO-Crate, SBOM and model cards against run.json and the signed digests.

They say in forms that others read what run.json and the tables say; a result in which they say
something else is refused. Their wording is compared only where this kit's code wrote it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote

import jinja2
import pyarrow as pa

from kit import __version__
from kit.artifacts import readable_json
from kit.errors import KitError, VerificationError
from kit.names import show
from kit.report.model_card import model_card
from kit.report.model_index import headline_rows
from kit.report.ro_crate import UNLISTED, ro_crate
from kit.result.json_differences import differences
from kit.result.layout import ADAPTERS, BILL, CARD, CRATE, README, ROWS, RUN
from kit.result.made_by import kit_of
from kit.result.strict_json import parse_json
from kit.result.unusable import unusable
from kit.supply_chain.environment import bill_faults, package_faults
from kit.verification.pages import difference
from kit.verification.planned import Planned, require_card_of_job

NAMED = 5
Made = TypeVar("Made")


def metadata_files(names: Iterable[str]) -> list[str]:
    """Return which files of a result the checks here need: crate, SBOM, cards of all adapters.

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
            found=f"{len(signed)} signed files, {len(wanted) - len(missing)} of these among them",
            remedy="a result of an older version, which did not write them, is verified with that "
            "version, or with --policy integrity; if they were taken away, get the whole result",
        )
    return wanted


def require_metadata(
    run: Mapping[str, Any],
    planned: Planned,
    held: Mapping[str, bytes],
    digests: Mapping[str, str],
    *,
    rows: pa.Table,
    whole: bool,
) -> None:
    """Check what cards, SBOM and crate state; with `whole` also how it is written.

    Each card.json says what run.json says of its job, the SBOM lists the packages of run.json, and
    the crate gives each signed file the digest that was signed. With `whole` the SBOM has its one
    form, and the crate and the README of each adapter are made again and compared byte for byte.

    Args:
        run: the content of run.json, whose jobs are those of its manifest.
        planned: what that manifest implies.
        held: {path in the result: bytes} of `metadata_files`.
        digests: {path in the result: SHA-256} of all signed files.
        rows: the metric rows, known to follow from the answers.
        whole: this kit's code wrote them.

    Raises:
        VerificationError: one of them says something else, or cannot be made again.
    """
    measured = headline_rows(rows)
    for name in (name for name in held if name.endswith(f"/{CARD}")):
        card = _parsed(held[name], name)
        if whole:
            page = name.removesuffix(CARD) + README
            text = _made(partial(model_card, card, run, measured), f"{name} or {RUN}").encode()
            if held[page] != text:
                raise _does_not_follow(
                    page, f"{name}, {RUN} and {ROWS}", [difference(held[page], text)]
                )
        if not isinstance(card, dict):
            raise unusable(name, "not a JSON object")
        require_card_of_job(card, name.split("/")[1], run, planned)
    _require_bill(_parsed(held[BILL], BILL), run, whole=whole)
    _require_crate(held[CRATE], run, digests, whole=whole)


def _require_bill(bill: object, run: Mapping[str, Any], *, whole: bool) -> None:
    version = kit_of(run).version
    faults = _made(
        lambda: list(
            bill_faults(bill, run["environment"], version)
            if whole
            else package_faults(bill, run["environment"])
        ),
        RUN,
    )
    if faults:
        raise VerificationError(
            f"{BILL} is not the SBOM of the environment that {RUN} describes",
            expected="its packages in their versions",
            found="\n    ".join(map(show, faults[:NAMED])),
            remedy="do not rely on it; ask the signer how it came to be",
        )


def _require_crate(
    stored: bytes, run: Mapping[str, Any], digests: Mapping[str, str], *, whole: bool
) -> None:
    entities = _entities(stored)
    if not whole:
        if faults := list(digest_faults(entities, digests)):
            raise _does_not_follow(CRATE, "the digests of the signed files", faults)
        return
    crate = _made(lambda: ro_crate(run, digests), RUN)
    if stored != readable_json(crate):
        faults = list(_crate_faults(entities, crate)) or [difference(stored, readable_json(crate))]
        raise _does_not_follow(CRATE, f"{RUN} and the digests of the signed files", faults)


def digest_faults(
    entities: Sequence[Mapping[str, object]], digests: Mapping[str, str]
) -> Iterator[str]:
    """Yield where a crate gives a file another digest, leaves one out, or lists one too many.

    Args:
        entities: those of the crate.
        digests: {path in the result: SHA-256} of all signed files.
    """
    files = [e for e in entities if "sha256" in e or "File" in _types(e)]
    names = [unquote(str(entity.get("@id"))) for entity in files]
    yield from (f"{name} is listed twice" for name, n in Counter(names).items() if n > 1)
    stated = {name: entity.get("sha256") for name, entity in zip(names, files, strict=True)}
    expected = {name: digest for name, digest in digests.items() if name not in UNLISTED}
    for name in sorted({*stated, *expected}):
        said, right = stated.get(name, "missing"), expected.get(name, "no signed file")
        if said != right:
            yield f"{name}.sha256 is {said}, but {right} follows"


def _types(entity: Mapping[str, object]) -> Sequence[object]:
    types = entity.get("@type")
    return types if isinstance(types, list) else [types]


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


def _entities(data: bytes) -> Sequence[Mapping[str, object]]:
    crate = _parsed(data, CRATE)
    graph = crate.get("@graph") if isinstance(crate, dict) else None
    if not isinstance(graph, list) or not all(isinstance(entity, dict) for entity in graph):
        raise unusable(CRATE, "it has no @graph that is a list of entities")
    return graph


def _crate_faults(
    entities: Sequence[Mapping[str, object]], right: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the entities in which a stored crate is another than the right one."""
    said, follows = ({str(e.get("@id")): e for e in side} for side in (entities, right["@graph"]))
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
        remedy="do not rely on the file; ask the signer how it came to be",
    )
