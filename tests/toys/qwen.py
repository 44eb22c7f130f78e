"""A randomly initialised Qwen2.5-VL of the smallest size, with a processor of its real kind."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from kit.smoke.base import make_processor

IMAGE, VIDEO = "<|image_pad|>", "<|video_pad|>"
MARKS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", IMAGE, VIDEO]
# The form of the published template: a system line, turns between marks, an end mark and a break.
TEMPLATE = (
    "{% for message in messages %}{% if loop.first %}<|im_start|>system\nYou answer.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PIXELS = 56 * 56  # two by two image tokens of 28 pixels


def make_qwen_processor(least: int = PIXELS, most: int = 4 * PIXELS) -> Any:
    """Return a processor whose words are the small experiment's, with Qwen's marks beside them.

    Images are brought between `least` and `most` pixels.
    """
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=make_processor().tokenizer.backend_tokenizer,
        bos_token="<s>",
        eos_token="<|im_end|>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=MARKS,
        padding_side="left",
    )
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=least, max_pixels=most),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(min_pixels=least, max_pixels=most),
        chat_template=TEMPLATE,
    )


def make_qwen_config(processor: Any, text: dict[str, Any], vision: dict[str, Any]) -> Any:
    """Return the smallest configuration, with what `text` and `vision` say instead."""
    tokens = processor.tokenizer.convert_tokens_to_ids
    smallest_text = {
        "vocab_size": len(processor.tokenizer),
        "hidden_size": 128,  # heads of 32: vLLM has no smaller ones on a CPU
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [4, 6, 6],
        },
        "bos_token_id": tokens("<|im_start|>"),
        "eos_token_id": tokens("<|im_end|>"),
        "pad_token_id": processor.tokenizer.pad_token_id,
        "tie_word_embeddings": False,
    }
    smallest_vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": 128,
        "fullatt_block_indexes": [1],
        "window_size": 112,
    }
    return Qwen2_5_VLConfig(
        text_config={**smallest_text, **text},
        vision_config={**smallest_vision, **vision},
        image_token_id=tokens(IMAGE),
        video_token_id=tokens(VIDEO),
        vision_start_token_id=tokens("<|vision_start|>"),
        vision_end_token_id=tokens("<|vision_end|>"),
    )


def write_qwen(folder: Path) -> None:
    """Write model and processor into a folder, as the hub publishes them."""
    processor = make_qwen_processor()
    config = make_qwen_config(processor, {}, {})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration(config)
        for parameter in model.parameters():
            # At the initial scale every answer is as likely as any other: nothing could fail.
            if parameter.dim() == 2:
                parameter.data.mul_(4)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
