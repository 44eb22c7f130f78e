"""The columns of the probes that the manifest in a run.json names."""

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from kit.benchmarks import probes
from kit.benchmarks.protocol import Protocol
from kit.errors import KitError
from kit.experiment.inputs import ProbeSection
from kit.result.layout import RUN
from kit.result.unusable import unusable


def with_probes(protocol: Protocol, manifest: Mapping[str, object]) -> Protocol:
    """Return the protocol with a column for each probe of a manifest.

    Raises:
        VerificationError: they are no probes that this version of the kit has.
    """
    listed = manifest.get("probes", [])
    try:
        sections = TypeAdapter(tuple[ProbeSection, ...]).validate_python(listed)
        return probes.with_columns(protocol, sections)
    except ValidationError as error:
        raise unusable(RUN, f"manifest.probes: {error.errors()[0]['msg']}") from None
    except KitError as error:
        raise unusable(RUN, error.what) from None
