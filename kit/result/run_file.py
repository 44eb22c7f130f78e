"""run.json as its readers need it: of a known schema, with a manifest that its digest fits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypedDict

from pydantic import TypeAdapter, ValidationError

from kit.digests import sha256_value
from kit.experiment.claims import MOST, ClaimSection, claim_fault, doubled_ids
from kit.experiment.systems import RETAIN_ONLY, VANILLA
from kit.names import show
from kit.result.layout import RUN
from kit.result.made_by import FIRST_SCHEMA
from kit.result.schemas import require_schema
from kit.result.sizes import most_bytes
from kit.result.strict_json import parse_json
from kit.result.tree import read_bytes
from kit.result.unusable import unusable

SCHEMA = "pebench-kit/run/2"
SCHEMAS = (FIRST_SCHEMA, SCHEMA)
LAYOUT = "layout"  # of tables that lack targets or columns of the benchmark
MIN_DRAWS, MAX_DRAWS = 100, 20_000  # fewer say nothing of an interval's ends
ROLES = {VANILLA: "lower bound (Finetune)", RETAIN_ONLY: "upper bound (Goal)"}


class System(TypedDict):
    """What run.json says of one system; `target` is None where it is measured for every target."""

    name: str
    target: str | None
    method: str
    label: str
    seed: int | None


def read_run_in(folder: Path) -> dict[str, object]:
    """Return the content of the run.json of a result, whoever made it; errors name the folder.

    Raises:
        VerificationError: as `read_run`, or it is too large, or no plain file.
    """
    path = folder / RUN
    return read_run(read_bytes(path, max_bytes=most_bytes(RUN)), show(str(path)))


def read_run(data: bytes, name: str = RUN) -> dict[str, object]:
    """Return the content of run.json.

    Args:
        name: of the file, for errors.

    Raises:
        VerificationError: it is no run.json of a schema that this kit reads, or its manifest has
            another digest.
    """
    try:
        run = parse_json(data)
    except ValueError as error:
        raise unusable(name, error) from None
    if not isinstance(run, dict):
        raise unusable(name, "not a JSON object")
    require_schema(name, run.get("schema"), SCHEMAS)
    if run.get("manifest_digest") != sha256_value(run.get("manifest")):
        raise unusable(name, "manifest_digest is not the digest of its manifest")
    return run


@dataclass(frozen=True)
class Versions:
    """The versions of the definitions that a result was made with.

    `protocol` is that of its benchmark (`kit.benchmarks`), `interval` that of the printed intervals
    (`kit.metrics.intervals`), `marks` and `attacks` those of two rules (`kit.report.rules`). Early
    results state fewer. With the first schema of the report, `marks` is 1.
    """

    protocol: int = 1
    interval: int = 1
    marks: int = 2
    attacks: int = 1


def versions_of(run: Mapping[str, object]) -> Versions:
    """Return the versions of the definitions that a run.json names.

    Raises:
        VerificationError: they are not one whole number for each definition.
    """
    stated = run.get("versions", {})
    known = [field.name for field in fields(Versions)]
    some = [set(known[:count]) for count in range(2, len(known) + 1)]  # each came after the others
    if not isinstance(stated, dict) or not all(type(each) is int for each in stated.values()):
        raise unusable(RUN, "its versions are not whole numbers")
    if stated and stated.keys() not in some:
        raise unusable(RUN, f"its versions are not those of {', '.join(sorted(known))}")
    return Versions(**stated)


def manifest_of(run: Mapping[str, object]) -> Mapping[str, object]:
    """Return the resolved manifest in a run.json.

    Raises:
        VerificationError: there is none.
    """
    return mapping_in(run, "manifest")


def interval_settings(run: Mapping[str, object]) -> tuple[int, int]:
    """Return (bootstrap draws, seed) of the intervals.

    Raises:
        VerificationError: they are missing, or ask for too few draws or for endless work.
    """
    settings = mapping_in(mapping_in(run, "manifest"), "report")
    draws = _count(settings, "bootstrap_draws", MIN_DRAWS, MAX_DRAWS)
    return draws, _count(settings, "seed", 0, 2**63 - 1)


def claims_of(run: Mapping[str, object]) -> tuple[ClaimSection, ...]:
    """Return the claims of the manifest in a run.json; a result from before claims has none.

    Raises:
        VerificationError: they are not what a manifest may claim.
    """
    manifest = run.get("manifest")
    listed = manifest.get("claims", []) if isinstance(manifest, dict) else None
    try:
        claims = TypeAdapter(tuple[ClaimSection, ...]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.claims.{place}: {first['msg']}") from None
    faults = [f"{claim.id}: {fault}" for claim in claims if (fault := claim_fault(claim))]
    faults += [f"{name} occurs twice" for name in doubled_ids(claims)]
    faults += [f"more than {MOST}"] if len(claims) > MOST else []
    if faults:
        raise unusable(RUN, f"manifest.claims: {faults[0]}")
    return claims


def mapping_in(value: Mapping[str, object], name: str) -> dict[str, object]:
    """Return the mapping of this name in run.json, or in a mapping of it.

    Raises:
        VerificationError: there is none.
    """
    part = value.get(name)
    if not isinstance(part, dict):
        raise unusable(RUN, f"{name} is missing")
    return part


def _count(report: Mapping[str, object], name: str, least: int, most: int) -> int:
    number = report.get(name)
    if type(number) is not int or not least <= number <= most:
        raise unusable(RUN, f"manifest.report.{name} is {number!r}, not in {least}..{most}")
    return number


def entry_of(system: Mapping[str, object]) -> str:
    """Return the manifest's name of a system's method: `npo` of `person-npo-s1`."""
    if system["method"] in ROLES:
        return str(system["method"])
    name = str(system["name"]).removeprefix(f"{system['target']}-")
    return name.removesuffix(f"-s{system['seed']}")


def entries(systems: Sequence[System]) -> dict[str, list[System]]:
    """Group systems by entry: Vanilla first, then as the manifest lists them, Retain-only last."""
    groups: dict[str, list[System]] = {}
    for system in systems:
        groups.setdefault(entry_of(system), []).append(system)
    order = sorted(groups, key=lambda entry: (entry != VANILLA, entry == RETAIN_ONLY))
    return {entry: groups[entry] for entry in order}


def labels(systems: Sequence[System]) -> dict[str, str]:
    """Return the printed name of each entry; two entries of one method are told apart."""
    names = {entry: str(members[0]["label"]) for entry, members in entries(systems).items()}
    shared = Counter(names.values())
    return {e: f"{name} ({e})" if shared[name] > 1 else name for e, name in names.items()}
