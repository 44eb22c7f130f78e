"""What the driver says to an interpreter on a node, and what that says back: lines of JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from kit import errors
from kit.errors import KitError, UnforeseenError
from kit.experiment.manifest import Manifest


@dataclass(frozen=True)
class Request:
    """A piece of work: whatever it means follows from the manifest and the kit's own code."""

    kind: str
    """One of `kit.cluster.kinds.KINDS`."""
    manifest: str
    """The resolved manifest, as JSON."""
    digests: tuple[str, ...] = ()
    """Of the artifacts that it is about; none where it is about the whole plan."""
    place: str = ""
    """What it works on, for messages."""

    def encoded(self) -> str:
        """Return the request as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def decoded(cls, line: str) -> "Request":
        """Return the request of a line."""
        values = json.loads(line)
        return cls(**{**values, "digests": tuple(values["digests"])})


def written(manifest: Manifest) -> str:
    """Return a manifest as `read` reads it: every value, those of this machine included."""
    return manifest.model_dump_json()


def read(text: str) -> Manifest:
    """Return the manifest that was written."""
    return Manifest.model_validate_json(text)


def fields_of(error: KitError) -> dict[str, str | None]:
    """Return an error as values that JSON has."""
    expected, found = (None if x is None else str(x) for x in (error.expected, error.found))
    return {
        "type": type(error).__name__,
        "what": error.what,
        "expected": expected,
        "found": found,
        "remedy": error.remedy,
        "traceback": error.traceback,
        "made_by": error.made_by,
    }


def error_of(fields: Mapping[str, str | None]) -> KitError:
    """Return the error of such values."""
    kind: type[KitError] = vars(errors).get(fields["type"] or "", UnforeseenError)
    error = kind(
        fields["what"] or "",
        expected=fields["expected"],
        found=fields["found"],
        remedy=fields["remedy"],
    )
    error.traceback, error.made_by = fields["traceback"], fields["made_by"] or ""
    return error
