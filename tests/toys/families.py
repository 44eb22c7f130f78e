"""Every supported family of models at the smallest size: processors of the real kind, few words.

Words are the small experiment's. Chat templates have the form of the published ones. Together they
have the three kinds of beginning-of-sequence token: none (Qwen, InternVL), one that the tokenizer
adds (LLaVA-NeXT, Gemma 3), and one that the template writes (Idefics3, Gemma 3).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import processors
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

from kit.smoke.base import make_processor

SIDE, PATCH = 56, 14  # pixels of an image tile and of a patch
PINPOINTS = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
TURNS = "{% for message in messages %}"
PARTS = "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
SAID = "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
CHATML = (
    TURNS + "<|im_start|>{{ message['role'] }}\n" + PARTS + "IMAGE" + SAID + "<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEM = "{% if loop.first %}<|im_start|>system\nYou answer.<|im_end|>\n{% endif %}"
MARKS = ["<|im_start|>", "<|im_end|>"]
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
TEXT: dict[str, Any] = {
    "hidden_size": 128,  # heads of 32: vLLM has no smaller ones on a CPU
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
TOWER: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
SIZE = {"height": SIDE, "width": SIDE}
Made = tuple[Any, Any]
"""A processor and a configuration."""


def make_tokenizer(
    marks: list[str], *, eos: str = "</s>", adds_bos: bool = False, **named: str
) -> Any:
    """Return a tokenizer with `marks` as special tokens, and attributes `named` for some."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=make_processor().tokenizer.backend_tokenizer,
        bos_token="<s>",
        eos_token=eos,
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens=named,
        padding_side="left",
    )
    tokenizer.add_tokens(marks, special_tokens=True)
    if adds_bos:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
        )
    return tokenizer


def text_of(tokenizer: Any, kind: str, text: dict[str, Any], **own: Any) -> dict[str, Any]:
    """Return the smallest language model of the type `kind`, but for what `text` says."""
    ends = {name: getattr(tokenizer, name) for name in ("bos_token_id", "pad_token_id")}
    ends["eos_token_id"] = tokenizer.eos_token_id
    return TEXT | {"model_type": kind, "vocab_size": len(tokenizer)} | ends | own | text


def make_llava(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    side = (TOWER | tower)["image_size"]
    processor = transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        make_tokenizer([], adds_bos=True, image_token="<image>"),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=make_processor().chat_template,
    )
    tokenizer = processor.tokenizer
    config = transformers.LlavaConfig(
        vision_config=TOWER | {"model_type": "clip_vision_model"} | tower,
        text_config=text_of(tokenizer, "llama", text),
        image_token_index=tokenizer.image_token_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    return processor, config


def make_llava_next(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    processor = transformers.LlavaNextProcessor(
        transformers.LlavaNextImageProcessor(
            size={"shortest_edge": SIDE}, crop_size=SIZE, image_grid_pinpoints=PINPOINTS[1:]
        ),
        make_tokenizer([], adds_bos=True, image_token="<image>"),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            TURNS + "{% if message['role'] == 'user' %}[INST] " + PARTS + "<image>\n" + SAID
            + " [/INST]{% else %}" + PARTS + SAID + "</s>{% endif %}{% endfor %}"
        ),
    )  # fmt: skip
    tokenizer = processor.tokenizer
    config = transformers.LlavaNextConfig(
        vision_config=TOWER | {"model_type": "clip_vision_model"} | tower,
        text_config=text_of(tokenizer, "mistral", text),
        image_token_index=tokenizer.image_token_id,
        image_grid_pinpoints=PINPOINTS[1:],
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    return processor, config


def make_llava_onevision(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    processor = transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(size=SIZE, image_grid_pinpoints=PINPOINTS),
        make_tokenizer(MARKS, eos=MARKS[1], image_token="<image>", video_token="<video>"),
        transformers.LlavaOnevisionVideoProcessor(size=SIZE),
        num_image_tokens=(SIDE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=CHATML.replace("IMAGE", "<image>\n"),
    )
    tokenizer = processor.tokenizer
    config = transformers.LlavaOnevisionConfig(
        vision_config=TOWER
        | {"model_type": "siglip_vision_model", "vision_use_head": False}
        | tower,
        text_config=text_of(tokenizer, "qwen2", text),
        image_token_index=tokenizer.image_token_id,
        video_token_index=tokenizer.video_token_id,
        image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_9",
    )
    return processor, config


def make_internvl(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=SIZE, crop_to_patches=True, max_patches=4),
        make_tokenizer(
            MARKS,
            eos=MARKS[1],
            start_image_token="<img>",
            end_image_token="</img>",
            context_image_token="<IMG_CONTEXT>",
            video_token="<video>",
        ),
        transformers.InternVLVideoProcessor(size=SIZE),
        image_seq_length=(SIDE // PATCH // 2) ** 2,
        chat_template=CHATML.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )
    tokenizer = processor.tokenizer
    config = transformers.InternVLConfig(
        vision_config=TOWER
        | {"model_type": "internvl_vision", "image_size": [SIDE] * 2, "patch_size": [PATCH] * 2}
        | tower,
        text_config=text_of(tokenizer, "qwen2", text),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=processor.image_seq_length,
        downsample_ratio=0.5,
        tie_word_embeddings=False,
    )
    return processor, config


def make_gemma3(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size=SIZE),
        make_tokenizer(
            ["<start_of_turn>", "<end_of_turn>"],
            adds_bos=True,
            image_token="<image_soft_token>",
            boi_token="<start_of_image>",
            eoi_token="<end_of_image>",
        ),
        image_seq_length=4,
        chat_template=(
            "{{ bos_token }}" + TURNS + "<start_of_turn>"
            "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
            + PARTS + "<start_of_image>" + SAID + "<end_of_turn>\n{% endfor %}"
            "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
        ),
    )  # fmt: skip
    tokenizer = processor.tokenizer
    tokenizer.add_tokens(["\n" * count for count in range(1, 5)])  # vLLM knows them by name
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    config = transformers.Gemma3Config(
        vision_config=TOWER
        | {"model_type": "siglip_vision_model", "vision_use_head": False}
        | tower,
        text_config=text_of(
            tokenizer, "gemma3_text", text, head_dim=32, query_pre_attn_scalar=32,
            sliding_window=512, layer_types=["sliding_attention", "full_attention"],
        ),
        image_token_index=tokenizer.image_token_id,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        mm_tokens_per_image=4,
        eos_token_id=[tokenizer.eos_token_id, end],
        tie_word_embeddings=False,
    )  # fmt: skip
    return processor, config


def make_idefics3(text: dict[str, Any], tower: dict[str, Any]) -> Made:
    grid = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    marks = ["<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *grid]
    processor = transformers.Idefics3Processor(
        transformers.Idefics3ImageProcessor(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        make_tokenizer(marks, eos="<end_of_utterance>", image_token="<image>"),
        image_seq_len=4,
        chat_template=(
            "{{ bos_token }}" + TURNS + "{{ message['role'] | capitalize }}:" + PARTS + "<image>"
            + SAID + "<end_of_utterance>\n{% endfor %}"
            "{% if add_generation_prompt %}Assistant:{% endif %}"
        ),
    )  # fmt: skip
    tokenizer = processor.tokenizer
    config = transformers.Idefics3Config(
        vision_config=TOWER | tower,
        text_config=text_of(tokenizer, "llama", text),
        image_token_id=tokenizer.image_token_id,
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    return processor, config


def _qwen(
    name: str, patch: int, vision: dict[str, Any], rope: dict[str, Any], **own: Any
) -> Callable[..., Made]:
    """Return the maker of one of Qwen's families; images become a multiple of two patches."""

    def make(text: dict[str, Any], tower: dict[str, Any]) -> Made:
        named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
        marks = [*MARKS, "<|vision_start|>", "<|vision_end|>"]
        tokenizer = make_tokenizer(marks, eos=MARKS[1], **named)
        size = {"shortest_edge": (4 * patch) ** 2, "longest_edge": (8 * patch) ** 2}  # pixels
        kinds = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2, "size": size}
        video = {"Qwen3": "Qwen3VLVideoProcessor"}.get(name, "Qwen2VLVideoProcessor")
        own = {"head_dim": 32} if name == "Qwen3" else {}
        image = "<|vision_start|><|image_pad|><|vision_end|>"
        processor = getattr(transformers, f"{name}VLProcessor")(
            image_processor=transformers.Qwen2VLImageProcessor(**kinds),
            tokenizer=tokenizer,
            video_processor=getattr(transformers, video)(**kinds),
            chat_template=CHATML.replace(TURNS, TURNS + SYSTEM).replace("IMAGE", image),
        )
        ids = tokenizer.convert_tokens_to_ids
        config = getattr(transformers, f"{name}VLConfig")(
            vision_config={"depth": 2, "num_heads": 4, "patch_size": patch} | vision | tower,
            text_config=text_of(
                tokenizer, f"{name.lower()}_vl_text", text, rope_parameters=ROPE | rope, **own
            ),
            image_token_id=tokenizer.image_token_id,
            video_token_id=tokenizer.video_token_id,
            vision_start_token_id=ids("<|vision_start|>"),
            vision_end_token_id=ids("<|vision_end|>"),
            tie_word_embeddings=False,
        )
        return processor, config

    return make


MROPE = {"mrope_section": [4, 6, 6]}
SMALL = {"hidden_size": 64, "intermediate_size": 128, "out_hidden_size": 128}
MAKERS: dict[str, Callable[..., Made]] = {
    "llava": make_llava,
    "llava_next": make_llava_next,
    "llava_onevision": make_llava_onevision,
    "qwen2_vl": _qwen("Qwen2", 14, {"embed_dim": 64, "hidden_size": 128, "mlp_ratio": 2}, MROPE),
    "qwen2_5_vl": _qwen(
        "Qwen2_5_", 14, SMALL | {"fullatt_block_indexes": [1], "window_size": 112}, MROPE
    ),
    "qwen3_vl": _qwen(
        "Qwen3",
        16,
        SMALL | {"deepstack_visual_indexes": [0], "num_position_embeddings": 64},
        MROPE | {"mrope_interleaved": True},
        head_dim=32,  # else 128, for which vLLM wants other sections
    ),
    "internvl": make_internvl,
    "gemma3": make_gemma3,
    "idefics3": make_idefics3,
}


def make_family(
    name: str, text: dict[str, Any] | None = None, tower: dict[str, Any] | None = None
) -> Made:
    """Return processor and configuration of a family's smallest model, but for what is given."""
    return MAKERS[name](text or {}, tower or {})


def write_family(name: str, folder: Path, *, tied: bool = False, **text: Any) -> None:
    """Write a random model of a family and its processor into a folder, as the hub does.

    Args:
        tied: whether embeddings are also the last layer, as in small published models. Random ones
            then repeat the last token of a question, whatever the image shows.
    """
    processor, config = make_family(name, text)
    config.tie_word_embeddings = tied
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForImageTextToText.from_config(config)
        for parameter in model.parameters():
            # At the initial scale every answer is as likely as any other: nothing could fail.
            if parameter.dim() == 2:
                parameter.data.mul_(4)
            if parameter.dim() == 2 and not parameter.any():  # Gemma 3's projector
                parameter.data.normal_(std=0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
