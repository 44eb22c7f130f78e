"""What is trained of each adapted layer's weight: an update of low rank, or all of it."""

from typing import Final, Literal

LORA: Final = "lora"
FULL: Final = "full"
Update = Literal["lora", "full"]
OF_LORA = ("rank", "alpha")  # settings that decide nothing of a full update
