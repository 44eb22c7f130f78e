"""Under which licence each installed package is, and which must not be passed on in an image."""

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

# The wheels of CUDA come under NVIDIA's own terms: whoever runs the kit may install them, an image
# that holds them may be passed on only under these terms (the CUDA Toolkit EULA, attachment A).
RESTRICTED = re.compile(r"nvidia|proprietary", re.IGNORECASE)
RESTRICTED_NAMES = re.compile(r"^(nvidia-|cuda-|cupy-)")
# PyPI's index of NVIDIA's open-source Python code, which only has the vendor's name.
OPEN = re.compile(r"^(Apache|BSD|MIT|PSF)", re.IGNORECASE)
SPDX = re.compile(r"^[A-Za-z0-9.+() -]+$")
UNKNOWN = "not stated"


@dataclass(frozen=True)
class Licence:
    """What a package's metadata states; `restricted` where an image with it is not free to copy."""

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
    expression = metadata.get("License-Expression") or ""
    classifiers = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or []
        if value.startswith("License ::") and value != "License :: OSI Approved"
    ]
    # Old packages have the whole text in this field; its first line is the name, if anything is.
    lines = (metadata.get("License") or "").strip().splitlines()
    field = lines[0].strip()[:80] if lines else ""
    stated = expression or " and ".join(classifiers) or field or UNKNOWN
    open_source = bool(OPEN.match(stated))
    restricted = bool(RESTRICTED.search(stated)) or (
        bool(RESTRICTED_NAMES.match(name.lower())) and not open_source
    )
    return Licence(name, package.version, stated, bool(expression), restricted)


def render(found: list[Licence]) -> str:
    """Return the list as text: first what must not be passed on, then everything."""
    restricted = [f"{row.package} {row.version}: {row.stated}" for row in found if row.restricted]
    head = [
        f"{len(restricted)} of {len(found)} packages must not be redistributed without their "
        "owner's terms" + (":" if restricted else "."),
        *(f"  {line}" for line in restricted),
        "",
        "package\tversion\tlicence",
    ]
    return "\n".join([*head, *(f"{r.package}\t{r.version}\t{r.stated}" for r in found)]) + "\n"
