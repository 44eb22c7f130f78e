"""The licence of each installed package, and which of them forbid passing on an image."""

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, distributions

# CUDA's wheels have NVIDIA's own terms: users may install them, but an image with them may be
# passed on only under these terms (CUDA Toolkit EULA, attachment A).
RESTRICTED = re.compile(r"nvidia|proprietary", re.IGNORECASE)
RESTRICTED_NAMES = re.compile(r"^(nvidia-|cuda-|cupy-)")
# NVIDIA's open-source Python packages match the name too, but state an open licence.
OPEN = re.compile(r"^(Apache|BSD|MIT|PSF)", re.IGNORECASE)
UNKNOWN = "not stated"


@dataclass(frozen=True)
class Licence:
    """What a package's metadata states; `restricted` if an image with it must not be passed on."""

    package: str
    version: str
    stated: str
    is_expression: bool
    restricted: bool


def licences() -> list[Licence]:
    """Return the licence of every package of this environment, sorted by name."""
    found = {licence.package.lower(): licence for licence in map(_licence, distributions())}
    return [found[name] for name in sorted(found)]


def _licence(package: Distribution) -> Licence:
    metadata = package.metadata
    name = metadata["Name"]
    expression = _first(metadata, "License-Expression")
    classifiers = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or []
        if value.startswith("License ::") and value != "License :: OSI Approved"
    ]
    # Old packages put the whole text into this field; its first line may be the name.
    lines = _first(metadata, "License").strip().splitlines()
    field = lines[0].strip()[:80] if lines else ""
    stated = expression or " and ".join(classifiers) or field or UNKNOWN
    open_source = bool(OPEN.match(stated))
    restricted = bool(RESTRICTED.search(stated)) or (
        bool(RESTRICTED_NAMES.match(name.lower())) and not open_source
    )
    return Licence(name, package.version, stated, bool(expression), restricted)


def _first(metadata: PackageMetadata, key: str) -> str:
    values = metadata.get_all(key)
    return values[0] if values else ""


def render(found: list[Licence]) -> str:
    """Return the list as text: first the packages that must not be passed on, then all."""
    restricted = [f"{row.package} {row.version}: {row.stated}" for row in found if row.restricted]
    head = [
        f"{len(restricted)} of {len(found)} packages must not be redistributed except under their "
        "owner's terms" + (":" if restricted else "."),
        *(f"  {line}" for line in restricted),
        "",
        "package\tversion\tlicence",
    ]
    return "\n".join([*head, *(f"{r.package}\t{r.version}\t{r.stated}" for r in found)]) + "\n"
