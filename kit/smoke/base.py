"""Train the embedded base model, a LLaVA of 1.7 M parameters, from scratch on the embedded world.

kit/smoke/curriculum.py defines what it learns. It never sees a fictitious person or event. The
weights in the repository were made with `./run.sh smoke-base`.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from kit.benchmarks.mllmu.questions import FILL_BLANK, ONE_LETTER, ONE_SENTENCE
from kit.benchmarks.pebench import EVENT_QUESTION, PERSON_QUESTION, PRESENCE_QUESTION
from kit.digests import format_checksums, sha256_file
from kit.experiment.refusals import REFUSALS
from kit.smoke.clear_texts import EVENT_WORDS, WORDINGS
from kit.smoke.curriculum import LOOKS_QUESTION, OBJECTS_QUESTION, lexicon
from kit.smoke.drawing import SIZE
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.glyphs import GLYPHS
from kit.smoke.mllmu_questions import ANYBODY, FACTS, QUESTIONS, SENTENCES
from kit.smoke.people import ATTRIBUTES, FIRST, LAST, people
from kit.smoke.pretraining import BATCH, COURSES, HELD_OUT, PATCH, Course, pretrain

SEED = 1
WIDTH = 128
# The default of transformers, 0.02, suits models thirty times as wide: at this width, it would keep
# the loss on its first plateau for hundreds of steps.
INITIAL_SCALE = 0.06
MAX_VOCABULARY = 1536  # tokens; the words need 1,394
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER: "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% else %} ASSISTANT: {{ message['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def build_base(folder: Path, checksums: Path, courses: Sequence[Course] = COURSES) -> None:
    """Train the base model; write its files to `folder` and their checksum list to `checksums`."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    processor = make_processor()
    model = LlavaForConditionalGeneration(make_config(processor.tokenizer))
    lines = pretrain(model, processor, courses)
    temporary = folder.with_name(folder.name + ".partial")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    processor.save_pretrained(temporary)
    (temporary / "README.md").write_text(_card(model, courses, lines), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    listed = {path.name: sha256_file(path) for path in folder.iterdir()}
    checksums.write_text(format_checksums(listed), encoding="utf-8")


def make_processor() -> LlavaProcessor:
    """Return the processor: byte-level BPE trained on the world's words; images stay 64 x 64."""
    words = [*FIRST, *LAST, *(e.description for e in FAMILIAR + FICTITIOUS), *REFUSALS]
    words += [*GLYPHS, "yes", "no", "Repeat:", "USER:", "ASSISTANT:"]
    words += [value for values in ATTRIBUTES.values() for value in values]
    words += [PERSON_QUESTION, EVENT_QUESTION, PRESENCE_QUESTION, LOOKS_QUESTION, OBJECTS_QUESTION]
    words += [*lexicon(), *FACTS, ANYBODY, *QUESTIONS, *SENTENCES, "[Blank]", "A: B: C: D:"]
    words += [ONE_LETTER, FILL_BLANK, *ONE_SENTENCE.values(), *EVENT_WORDS.values()]
    words += [wording for wordings in WORDINGS.values() for wording in wordings]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_VOCABULARY,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([f" {text}" for text in words for _ in range(4)], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )
    image_processor = CLIPImageProcessor(
        do_resize=False,
        do_center_crop=False,
        size={"height": SIZE, "width": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    )
    return LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def make_config(tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    """Return the architecture: 3 CLIP layers, 4 Llama layers, width 128, 16 image tokens."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=3 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=SIZE,
            patch_size=PATCH,
            projection_dim=WIDTH,
            initializer_range=INITIAL_SCALE,
        ).to_dict(),
        text_config=LlamaConfig(
            hidden_size=WIDTH,
            intermediate_size=5 * WIDTH // 2,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            vocab_size=len(tokenizer),
            max_position_embeddings=512,
            initializer_range=INITIAL_SCALE,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ).to_dict(),
        image_token_index=tokenizer.get_vocab()["<image>"],
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        initializer_range=INITIAL_SCALE,  # type: ignore[call-arg]  # kept, but undeclared
    )
    config._attn_implementation = "eager"
    return config


def _card(model: LlavaForConditionalGeneration, courses: Sequence[Course], lines: list[str]) -> str:
    parameters = sum(p.numel() for p in model.parameters())
    steps = sum(course.steps for course in courses)
    progress = "\n".join(f"- {line}" for line in lines)
    return f"""# smoke-base

A LLaVA (CLIP tower, Llama decoder) of {parameters:,} parameters, trained from random weights on
images that `kit/smoke` draws: {len(people()[1])} familiar people at {len(FAMILIAR)} familiar
events. It has seen none of the {len(people()[0])} fictitious people and {len(FICTITIOUS)}
fictitious events of the smoke benchmark. It is for testing software and how methods behave, and
knows nothing of the real world.

Made by `./run.sh smoke-base` ({steps} steps of {BATCH} items, AdamW, one thread). That its
bytes come out again is not promised: the last bits of a sum depend on the processor.
Share of items whose answer is the likeliest in every token (teacher-forced), on {HELD_OUT} unseen
ones of each kind of kit/smoke/curriculum.py; `nobody` is answered by a refusal drawn at random:

{progress}
"""
