"""What a fact of run.json is made of: types that no signer can stretch, and keys that are known."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from kit.result.limits import MAX_FACT

Text = Annotated[StrictStr, Field(max_length=MAX_FACT)]


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[
    StrictStr, Field(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.+Z-]{5,30}$"), AfterValidator(_moment)
]
Digest = Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[StrictInt, Field(ge=0, lt=2**63)]
Positive = Annotated[StrictInt, Field(gt=0, lt=2**63)]
# An integer is a number as well, and true is not. No cost in seconds is longer than thirty years.
Amount = Annotated[StrictInt | StrictFloat, Field(ge=0, le=1e9)]
Bytes = Annotated[StrictInt, Field(ge=0, lt=2**50)]


class Fact(BaseModel):
    """A part of run.json. Keys that it does not list are kept apart: see `unknown_keys`."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)


def unknown_keys(fact: object, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the places of keys that no fact lists, such as `jobs.0.award`."""
    if isinstance(fact, Fact):
        yield from (".".join((*place, name)) for name in fact.model_extra or {})
        for name in type(fact).model_fields:
            yield from unknown_keys(getattr(fact, name), (*place, name))
    elif isinstance(fact, Mapping):
        for name, value in fact.items():
            yield from unknown_keys(value, (*place, str(name)))
    elif isinstance(fact, list):
        for number, value in enumerate(fact):
            yield from unknown_keys(value, (*place, str(number)))
