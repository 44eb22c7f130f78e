"""Is what run.json states valid: its manifest, and the versions that it was made with?

A signer may write any key and any value into the manifest in run.json. A kit of the same version
would not have run most of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import BaseModel, StrictStr, TypeAdapter, ValidationError

from kit import __version__, benchmarks
from kit.errors import ManifestError
from kit.experiment.labels import Entry, label_faults
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import parse_manifest
from kit.experiment.plain_texts import PROSE, text_faults
from kit.names import show
from kit.report.renderer import renderer_digest
from kit.report.rules import stated_versions
from kit.result.layout import RUN
from kit.result.made_by import Kit
from kit.result.run_file import Versions
from kit.result.stored import StoredResult
from kit.result.unusable import unusable
from kit.verification.contradiction import contradicts
from kit.verification.run_facts import is_later, may_lack_facts

# Of pydantic. What an early manifest does not state has the value that the kit had then.
LACKING = frozenset({"missing"})
SKETCHED = frozenset({"missing", "too_short"})
# Keys that manifests have no more, and the first version of the kit without them. Results of
# earlier versions keep verifying.
FORMER_KEYS: dict[tuple[int | str, ...], tuple[int, int, int]] = {
    ("evaluation", "agreement_minimum"): (0, 2, 0),
    ("evaluation", "agreement_of_each"): (0, 2, 0),
    ("evaluation", "agreement_words"): (0, 2, 0),
}


class _Method(BaseModel):
    name: StrictStr
    label: StrictStr
    targets: tuple[StrictStr, ...]


def require_plain_texts(run: Mapping[str, object]) -> None:
    """Check that every text of run.json reads as it is written.

    The line of a call that was cut off may hold anything: pages show it escaped.

    Raises:
        VerificationError: one has a hidden character, or a letter that passes for another one.
    """
    attempts = run.get("attempts")
    if isinstance(attempts, list):
        kept = [{**each, "line": ""} if isinstance(each, dict) else each for each in attempts]
        run = {**run, "attempts": kept}
    for place, fault, text in text_faults(run, PROSE):
        raise unusable(RUN, f"{show(place)[:200]} is {fault}: {text[:100]!a}")


def later_line(kit: Kit) -> Iterator[str]:
    """Yield a line if a later version of the kit made the result: it may have keys of its own."""
    if kit.numbers > Kit(__version__).numbers:
        yield (
            f"run.json says that kit {kit} made the result, which is later than this kit, "
            f"{__version__}: keys that this kit does not know were not checked"
        )


def require_valid_manifest(stored: StoredResult) -> None:
    """Check that each key and value in the manifest of run.json is one that a manifest may have.

    A later version of the kit may know other keys; such a manifest is not checked.

    Raises:
        VerificationError: a key is unknown or a value is not valid; it names the first.
    """
    if is_later(stored.run):
        return
    manifest = dict(stored.manifest)
    _require_labels(manifest)
    excused = SKETCHED if may_lack_facts(stored.kit, manifest) else LACKING
    try:
        Manifest.model_validate(manifest)
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            former = stored.kit.numbers < FORMER_KEYS.get(each["loc"], (0, 0, 0))
            if each["type"] not in excused and not former:
                place = ".".join(map(str, each["loc"]))[:200]
                raise unusable(RUN, f"manifest.{place}: {each['msg']}") from None
        return
    try:
        parse_manifest(manifest, "its manifest")
    except ManifestError as error:
        found = f"; found: {error.found}" if error.found else ""
        raise unusable(RUN, f"{error.what}{found}") from None


def _require_labels(manifest: Mapping[str, object]) -> None:
    try:
        methods = TypeAdapter(tuple[_Method, ...]).validate_python(manifest.get("methods", ()))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise unusable(RUN, f"manifest.methods: {first['msg']}") from None
    entries = [Entry(each.name, each.label, each.targets) for each in methods]
    faults = [
        f"{entries[number].name} (target {target}): its label {entries[number].label!a} is {fault}"
        for number, target, fault in label_faults(entries)
    ]
    if faults:
        raise contradicts(
            f"labels of methods in {RUN} do not tell them apart",
            "labels that are printed as they are written, one for each row of a table",
            faults,
        )


def require_own_versions(stored: StoredResult) -> None:
    """Check that a result of this version of the kit has this version's definitions.

    Another rule would print other intervals, or other marks of damage. Of the rule of attacks, this
    version of the kit has had two: the newest is that of pages that this kit's code rendered.

    Raises:
        VerificationError: it states those of an earlier kit.
    """
    if stored.kit.numbers != Kit(__version__).numbers:
        return
    loader = str(dict(stored.manifest)["benchmark"]["loader"])  # type: ignore[index]
    protocol = benchmarks.protocol(loader).version
    newest = stated_versions(protocol, attacked="attack" in stored.manifest)
    own = Versions(**newest)
    if stored.kit.renderer != renderer_digest():
        own = replace(own, attacks=stored.versions.attacks)
    if stored.versions != own:
        raise contradicts(
            f"the versions of the definitions in {RUN} are not those of kit {__version__}",
            ", ".join(f"{name} {getattr(own, name)}" for name in newest),
            [show(str(stored.versions))],
        )
