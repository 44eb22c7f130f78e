"""Sizes of a base model that decide memory and time, from its configuration."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field


@dataclass(frozen=True)
class BaseSizes:
    """The language model's shape, and how many weights of the whole base are stored how."""

    family: str
    """`model_type` of its config.json, such as `llava`."""
    hidden: int
    """Width of the residual stream."""
    intermediate: int
    """Width within a feed-forward layer."""
    layers: Annotated[int, Field(gt=0)]
    vocabulary: int
    cache_values: int
    """Values of the key-value cache per token and layer: keys and values of all heads."""
    quantized: Annotated[int, Field(gt=0)]
    """Weights of the language model's linear layers: in 4 bits, unless the base is kept whole."""
    other: int
    """Weights that stay in the compute type: vision tower, projector, embeddings, output."""
    lora_sides: int
    """Sum of inputs and outputs of all modules with LoRA: an adapter has `rank` times as many
    weights."""
    lora_weights: int
    """Weights of these modules: as many as a full update has."""

    @classmethod
    def of_config(
        cls,
        family: str,
        text: Any,
        *,
        quantized: int,
        other: int,
        lora_sides: int,
        lora_weights: int,
    ) -> Self:
        """Return the sizes that transformers' configuration `text` of a language model states."""
        heads = int(text.num_attention_heads)
        head = int(getattr(text, "head_dim", None) or text.hidden_size // heads)
        key_heads = int(getattr(text, "num_key_value_heads", None) or heads)
        return cls(
            family,
            int(text.hidden_size),
            int(text.intermediate_size),
            int(text.num_hidden_layers),
            int(text.vocab_size),
            2 * key_heads * head,
            quantized,
            other,
            lora_sides,
            lora_weights,
        )
