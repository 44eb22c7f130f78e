"""What run.json says of the benchmark: its protocol, the layout of its tables, and the systems."""

from collections.abc import Mapping, Sequence

from kit import benchmarks
from kit.benchmarks.protocol import Protocol
from kit.errors import KitError
from kit.result.layout import RUN
from kit.result.probed import with_probes
from kit.result.run_file import LAYOUT, System, mapping_in, versions_of
from kit.result.unusable import unusable

MAX_REASON = 500  # characters


def layout_json(
    protocol: Protocol, targets: Sequence[str], absent: Mapping[tuple[str, str], str]
) -> dict[str, object]:
    """Return what run.json says of tables that are not whole; nothing where they are.

    Args:
        protocol: of the benchmark.
        targets: those of the manifest.
        absent: {(part, column): why} of the columns that the data does not have.
    """
    if set(targets) == set(protocol.targets) and not absent:
        return {}
    reasons = {f"{part}/{column}": why for (part, column), why in sorted(absent.items())}
    return {LAYOUT: {"targets": list(targets), "absent": reasons}}


def protocol_of(run: Mapping[str, object]) -> Protocol:
    """Return the protocol of the benchmark that a run.json names, in the version that it names.

    It has the targets and columns of this result alone, where run.json says so; a result of kit
    0.3.0 and earlier never does.

    Raises:
        VerificationError: it names none that this version of the kit has, or other targets than
            the manifest.
    """
    manifest = mapping_in(run, "manifest")
    loader = mapping_in(manifest, "benchmark").get("loader")
    try:
        protocol = benchmarks.protocol(str(loader), versions_of(run).protocol)
    except KitError as error:
        raise unusable(RUN, error.what) from None
    if LAYOUT not in run:
        return with_probes(protocol, manifest)
    layout = mapping_in(run, LAYOUT)
    absent = mapping_in(layout, "absent")
    known = {
        f"{part}/{column}" for part, each in protocol.parts.items() for column in each.headline
    }
    texts = all(isinstance(why, str) and len(why) <= MAX_REASON for why in absent.values())
    targets = layout.get("targets")
    if (
        not isinstance(targets, list)
        or targets != manifest.get("targets")
        or not absent.keys() <= known
        or not texts
    ):
        raise unusable(RUN, f"its {LAYOUT} does not fit the manifest or the benchmark")
    pairs = {place.partition("/")[::2]: str(why) for place, why in absent.items()}
    return with_probes(protocol.restricted([str(each) for each in targets], pairs), manifest)


def systems_of(run: Mapping[str, object], protocol: Protocol) -> list[System]:
    """Return the systems that a run.json lists.

    Raises:
        VerificationError: they are no list of systems, or one name occurs twice.
    """
    systems = run.get("systems")
    if (
        not isinstance(systems, list)
        or not systems
        or not all(_is_system(system, protocol) for system in systems)
    ):
        raise unusable(RUN, "its systems are not a list of name, target, method, label and seed")
    names = [system["name"] for system in systems]
    if len(set(names)) != len(names):
        raise unusable(RUN, "it names a system twice")
    return systems


def _is_system(value: object, protocol: Protocol) -> bool:
    if not isinstance(value, dict) or not value.keys() >= {"target", "seed"}:
        return False
    seed = value["seed"]
    return (
        all(isinstance(value.get(name), str) for name in ("name", "method", "label"))
        and value["target"] in (None, *protocol.targets)
        and (seed is None or (type(seed) is int and abs(seed) < 2**63))
    )
