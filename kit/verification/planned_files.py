"""The files that each adapter of a result leaves, as the manifest in its run.json implies them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, FailFast, StrictStr, ValidationError

from kit.experiment.systems import FINETUNE, PlannedAdapter
from kit.experiment.updates import Update
from kit.result.artifact_files import files_of
from kit.result.layout import RUN
from kit.result.unusable import unusable


class _Section(BaseModel):
    update: Update = "lora"


class _Method(BaseModel):
    name: StrictStr
    method: StrictStr
    update: Update | None = None


class _Trained(BaseModel):
    """What of a manifest decides what an adapter leaves."""

    finetune: _Section
    unlearn: _Section = _Section()
    methods: Annotated[tuple[_Method, ...], FailFast()]


def planned_files(
    resolved: object, adapters: Mapping[str, PlannedAdapter], entries: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return {name of an adapter: the files that it leaves}.

    Args:
        resolved: the manifest, as run.json holds it.
        adapters: those that it implies, by name.
        entries: the manifest's name of the method of each unlearned adapter.

    Raises:
        VerificationError: the manifest does not say what is trained.
    """
    try:
        manifest = _Trained.model_validate(resolved)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None
    methods = {method.name: method for method in manifest.methods}
    files = {}
    for name, adapter in adapters.items():
        if adapter.stage == FINETUNE:
            files[name] = files_of(None, manifest.finetune.update)
        else:
            own = methods[entries[name]]
            files[name] = files_of(own.method, own.update or manifest.unlearn.update)
    return files
