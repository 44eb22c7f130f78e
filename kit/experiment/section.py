"""What all sections of a manifest share: no unknown key, frozen values, a description of each key.

The string below a key is its description. `kit.experiment.reference` prints the descriptions as the
tables in manifests/README.md.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """One table of a manifest; its keys are documented by the strings below them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=False,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True)
class Unit:
    """What a number counts or measures, for the reference of all keys."""

    name: str


NAME = r"^[a-z0-9][a-z0-9_-]*$"

Name = Annotated[str, Field(pattern=NAME)]
Steps = Annotated[int, Field(gt=0), Unit("steps")]
Records = Annotated[int, Field(gt=0), Unit("records")]
Rank = Annotated[int, Field(gt=0), Unit("dimensions")]
Alpha = Annotated[float, Field(gt=0)]
LearningRate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1), Unit("share")]
