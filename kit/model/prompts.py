"""Questions and answers to tokens: the only place that decides which tokens a model reads.

Training, likelihoods and every engine use the same tokens, which are those of the processor's own
`apply_chat_template(..., tokenize=True)`. A tokenizer may put a beginning-of-sequence token before
a prompt (LLaVA 1.5), the chat template may write it, or there may be none (Qwen).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from kit.errors import DataError, ModelError
from kit.failures import out_of_memory
from kit.model.chat import answer_text, chat_prompt, first_line, require_template
from kit.pictures.decoding import open_image

# What the processor says of each token, such as whether it belongs to an image.
KINDS = ("mm_token_type_ids", "token_type_ids")
# Names of a processor's tokens that stand for an image or a video, in a prompt or once expanded.
MEDIA = ("image_token", "video_token", "boi_token")
TOKENS = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class Encoded:
    """A prompt as the processor encodes it.

    It holds every output of the processor: a model that lacks one computes something else without
    an error.
    """

    ids: list[int]
    kinds: dict[str, list[int]]
    """By name, which kind each token is, such as 1 where it belongs to an image and 0 on text."""
    images: dict[str, Tensor]
    """Image inputs of the model, such as `pixel_values`, of one image: [1, ...] or [patches, ...].
    """

    def bytes(self) -> int:
        """Return about how much memory it takes."""
        return 64 * len(self.ids) + sum(tensor.nbytes for tensor in self.images.values())


class PromptEncoder:
    """Encodes questions, with or without an image, and answers with one processor.

    Raises:
        ModelError: the tokenizer puts a token behind the prompt, where the answer has to follow, or
            as for `require_template`.
    """

    def __init__(self, processor: Any) -> None:
        self._processor, self._tokenizer = processor, processor.tokenizer
        found = (getattr(processor, name, None) for name in MEDIA)
        self.media_marks: tuple[str, ...] = tuple(mark for mark in found if mark)
        numbers = processor.tokenizer.convert_tokens_to_ids(list(self.media_marks))
        self.media_ids = frozenset(number for number in numbers if number is not None)
        _require_open_end(processor.tokenizer)
        require_template(processor)

    def __call__(self, image: Path | None, question: str) -> Encoded:
        """Return the prompt as the model reads it: image tokens expanded, image inputs beside.

        Raises:
            DataError: the image cannot be read, the processor cannot take it, or the question holds
                a token that stands for an image.
        """
        self._require_words(question)
        prompt = chat_prompt(self._processor, question, with_image=image is not None)
        # Only the processor knows how many tokens an image of this size becomes.
        encoded = self._encoded(prompt, image)
        kinds = {name: encoded[name][0].tolist() for name in KINDS if name in encoded}
        images = {k: v for k, v in encoded.items() if k not in (*TOKENS, *KINDS)}
        return Encoded(encoded["input_ids"][0].tolist(), kinds, images)

    def compact(self, question: str, *, with_image: bool) -> list[int]:
        """Return the prompt's tokens with one placeholder for the image, as engines expect them.

        Raises:
            DataError: the question holds a token that stands for an image.
        """
        self._require_words(question)
        prompt = chat_prompt(self._processor, question, with_image=with_image)
        return self._tokens(prompt, special=self._adds(prompt))

    def answer(self, question: str, answer: str, *, with_image: bool) -> list[int]:
        """Return the tokens that follow the prompt for `answer`, end token included.

        Raises:
            DataError: question or answer hold a token that stands for an image.
        """
        self._require_words(question, answer)
        prompt = chat_prompt(self._processor, question, with_image=with_image)
        text = answer_text(self._processor, question, answer, with_image=with_image)
        return following(self._tokenizer, prompt, text)

    def _require_words(self, *texts: str) -> None:
        """Refuse a text in which the processor would see a second image."""
        for text in texts:
            if mark := next((mark for mark in self.media_marks if mark in text), None):
                raise DataError(
                    f"a question or an answer holds {mark!r}, which stands for an image",
                    expected="words alone: the chat template writes where the image is",
                    found=repr(text[:200]),
                    remedy="write it in another way in the data, or leave the record out",
                )

    def _adds(self, prompt: str) -> bool:
        """Return whether the tokenizer adds its special tokens, as in `apply_chat_template`."""
        begin = self._tokenizer.bos_token
        return begin is None or not prompt.startswith(begin)

    def _encoded(self, prompt: str, image: Path | None) -> Any:
        given = {"text": prompt, "add_special_tokens": self._adds(prompt), "return_tensors": "pt"}
        if image is None:
            return self._processor(**given)
        picture = open_image(image)
        try:
            return self._processor(images=picture, **given)
        except Exception as error:  # processors are code of many authors: anything can be raised
            if out_of_memory(error):
                raise
            raise DataError(
                f"the processor of the base model cannot take the image {image}",
                expected="an image of a size that the model's family accepts",
                found=f"{picture.width} x {picture.height} pixels: {first_line(error)}",
                remedy="choose another base model, or leave the record out of the dataset",
            ) from None

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])


def following(tokenizer: Any, before: str, text: str) -> list[int]:
    """Return the tokens of a text behind another one, as in a reading of both.

    Llama's published tokenizer, that of LLaVA 1.5, puts a blank before whatever it reads. Alone, an
    answer would begin with a token that the model never says there, and all letters of a choice
    with the same one. Where a token would span the border, the text is read behind a line break.
    """
    for start in (before, "\n"):
        alone, both = (
            list(tokenizer(each, add_special_tokens=False)["input_ids"])
            for each in (start, start + text)
        )
        if both[: len(alone)] == alone:
            return both[len(alone) :]
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _require_open_end(tokenizer: Any) -> None:
    text = "a prompt"
    bare = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    whole = list(tokenizer(text)["input_ids"])
    if whole[len(whole) - len(bare) :] != bare:
        raise ModelError(
            "the tokenizer adds a token behind a prompt, so no answer can follow",
            expected=f"{bare}, perhaps after special tokens",
            found=str(whole),
            remedy="work with a copy of the base, which [model.source] names as `folder`. In its "
            "tokenizer.json, take the end token out of post_processor (`single` and `pair`); in "
            "tokenizer_config.json, set add_eos_token = false",
        )
