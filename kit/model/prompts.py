"""Questions and answers to tokens: the only place that decides which tokens a model reads.

Training, likelihoods and every engine use the same tokens, which are those of the processor's own
`apply_chat_template(..., tokenize=True)`. A tokenizer may put a beginning-of-sequence token before
a prompt (LLaVA 1.5), the chat template may write it, or there may be none (Qwen).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from kit.errors import ModelError
from kit.model.images import open_image


def chat_prompt(processor: Any, question: str, *, with_image: bool) -> str:
    """Return the text that the model answers, by the processor's own chat template."""
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": question})
    messages = [{"role": "user", "content": content}]
    return str(processor.apply_chat_template(messages, add_generation_prompt=True))


def answer_text(processor: Any, question: str, answer: str, *, with_image: bool) -> str:
    """Return what the chat template appends to the prompt for `answer`, end token included.

    Raises:
        ModelError: the chat template changes the prompt when an answer follows.
    """
    prompt = chat_prompt(processor, question, with_image=with_image)
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": question})
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    whole = str(processor.apply_chat_template(messages))
    following = whole[len(prompt) :]
    if not whole.startswith(prompt) or answer not in following:
        raise ModelError(
            "the chat template does not append the answer to the prompt",
            expected=f"{prompt!r} followed by the answer",
            found=repr(whole),
        )
    end = processor.tokenizer.eos_token
    text = following.rstrip()
    return text if text.endswith(end) else text + end


@dataclass(frozen=True)
class Encoded:
    """A prompt as the processor encodes it.

    `kinds` says which tokens belong to an image; it is None where the model does not use
    `mm_token_type_ids`. A model that needs them but gets none silently positions image tokens as if
    they were text.
    """

    ids: list[int]
    kinds: list[int] | None
    images: dict[str, Tensor]
    """Image inputs of the model, such as `pixel_values`, for one image: [1, ...]."""

    def bytes(self) -> int:
        """Return about how much memory it takes."""
        return 64 * len(self.ids) + sum(tensor.nbytes for tensor in self.images.values())


class PromptEncoder:
    """Encodes questions, with or without an image, and answers with one processor.

    Raises:
        ModelError: the tokenizer puts a token behind the prompt, where the answer has to follow.
    """

    def __init__(self, processor: Any) -> None:
        self._processor, self._tokenizer = processor, processor.tokenizer
        _require_open_end(processor.tokenizer)

    def __call__(self, image: Path | None, question: str) -> Encoded:
        """Return the prompt as the model reads it: image tokens expanded, image inputs beside."""
        prompt = chat_prompt(self._processor, question, with_image=image is not None)
        if image is None:
            return Encoded(self._tokens(prompt, special=self._adds(prompt)), None, {})
        # Only the processor knows how many tokens an image of this size becomes.
        encoded = self._processor(
            images=open_image(image),
            text=prompt,
            add_special_tokens=self._adds(prompt),
            return_tensors="pt",
        )
        kinds = encoded.get("mm_token_type_ids")
        images = {
            name: value
            for name, value in encoded.items()
            if name.startswith(("pixel_values", "image_"))
        }
        ids = encoded["input_ids"][0].tolist()
        return Encoded(ids, None if kinds is None else kinds[0].tolist(), images)

    def compact(self, question: str, *, with_image: bool) -> list[int]:
        """Return the prompt's tokens with one placeholder for the image, as engines expect them."""
        prompt = chat_prompt(self._processor, question, with_image=with_image)
        return self._tokens(prompt, special=self._adds(prompt))

    def answer(self, question: str, answer: str, *, with_image: bool) -> list[int]:
        """Return the tokens that follow the prompt for `answer`, end token included."""
        text = answer_text(self._processor, question, answer, with_image=with_image)
        return self._tokens(text, special=False)

    def _adds(self, prompt: str) -> bool:
        """Return whether the tokenizer adds its special tokens, as in `apply_chat_template`."""
        begin = self._tokenizer.bos_token
        return begin is None or not prompt.startswith(begin)

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])


def _require_open_end(tokenizer: Any) -> None:
    text = "a prompt"
    bare = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    whole = list(tokenizer(text)["input_ids"])
    if whole[len(whole) - len(bare) :] != bare:
        raise ModelError(
            "the tokenizer adds a token behind a prompt, so no answer can follow",
            expected=f"{bare}, perhaps after special tokens",
            found=str(whole),
            remedy="switch it off in the base's tokenizer_config.json: add_eos_token = false",
        )
