"""Processor of a base: it writes prompts, answers and image tokens, or says what it lacks."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from kit.errors import DataError, ModelError
from kit.experiment.manifest import ModelSection
from kit.model.base import load_processor
from kit.model.chat import answer_text, chat_prompt
from kit.model.prompts import Encoded, PromptEncoder

QUESTION, ANSWER = "Who is this person?", "Ada Sato"
SIDE = 336  # pixels of the test picture, unless the processor has a size of its own
OWN_COPY = (
    "in a copy of the base that [model.source] names as `folder`, with its own list of checksums"
)


@dataclass(frozen=True)
class ProcessorFacts:
    """What one picture and one question become."""

    image_tokens: int
    side: int
    """Pixels of the picture's sides."""
    marks: dict[str, str]
    """Beginning, end and padding token of the tokenizer."""
    prompt: Encoded
    """The question with the picture."""

    def describe(self) -> str:
        """Return one line for a report."""
        marks = ", ".join(f"{name} {mark!r}" for name, mark in self.marks.items())
        size = f"{self.side} x {self.side} pixels"
        return f"a picture of {size} becomes {self.image_tokens} tokens; {marks}"


def open_processor(folder: Path, section: ModelSection) -> Any:
    """Load the processor of a base.

    Raises:
        ModelError: the folder holds none for texts with images.
    """
    try:
        processor: Any = load_processor(folder, section)
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError) as error:
        raise ModelError(
            f"no processor in {folder} can be loaded",
            expected="the files of a processor that this version of transformers knows",
            found=str(error).splitlines()[0][:300] if str(error) else type(error).__name__,
            remedy="let `files` of [model.source] fetch every *.json, *.jinja and *.model file",
        ) from None
    if not (hasattr(processor, "tokenizer") and hasattr(processor, "image_processor")):
        raise ModelError(
            f"the processor in {folder} takes no images with a text",
            expected="a processor of a vision-language model",
            found=type(processor).__name__,
            remedy="let `files` of [model.source] fetch processor_config.json and "
            "preprocessor_config.json, or name another base",
        )
    return processor


def require_processor(processor: Any, vocabulary: int) -> ProcessorFacts:
    """Try one question with and without a picture, and an answer.

    Args:
        vocabulary: how many tokens the model knows.

    Raises:
        ModelError: tokens, a chat template or the patch size are missing, or the template fails.
    """
    tokenizer = processor.tokenizer
    if tokenizer.eos_token_id is None:
        raise ModelError(
            "the tokenizer of the base has no eos_token",
            expected='"eos_token" in tokenizer_config.json',
            found="none",
            remedy=f'set "eos_token" in tokenizer_config.json, {OWN_COPY}',
        )
    largest = max(len(tokenizer) - 1, *tokenizer.get_vocab().values())
    if largest >= vocabulary:
        raise ModelError(
            "the tokenizer has more tokens than the model",
            expected=f"tokens below {vocabulary} (vocab_size)",
            found=f"{len(tokenizer)} tokens, the largest is {largest}",
            remedy="tokenizer and weights are of different versions: fetch both from one revision",
        )
    if getattr(processor, "patch_size", 0) is None:
        raise ModelError(
            "the processor of the base does not know the patch size of its vision tower",
            expected='"patch_size" in processor_config.json',
            found="none",
            remedy=f'set "patch_size" to the one of vision_config in config.json, {OWN_COPY}',
        )
    for with_image in (True, False):
        chat_prompt(processor, QUESTION, with_image=with_image)
        answer_text(processor, QUESTION, ANSWER, with_image=with_image)
    side = _side(processor)
    marks = {n: str(getattr(tokenizer, f"{n}_token")) for n in ("bos", "eos", "pad")}
    prompt, tokens = _with_picture(processor, side)
    return ProcessorFacts(tokens, side, marks, prompt)


def _with_picture(processor: Any, side: int) -> tuple[Encoded, int]:
    """Return a question with a blank picture, and how many tokens the picture becomes."""
    encoder = PromptEncoder(processor)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "blank.png"
        Image.new("RGB", (side, side)).save(path)
        try:
            encoded = encoder(path, QUESTION)
        except ModelError:
            raise
        except Exception as error:  # processors are code of many authors: anything can be raised
            found = (
                error.found if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
            )
            raise ModelError(
                "the processor of the base cannot encode a picture",
                expected=f"tokens and pixels of a blank picture of {side} x {side} pixels",
                found=str(found)[:300],
                remedy="fetch processor_config.json and preprocessor_config.json of one revision; "
                "see kit/model/README.md for the families that work",
            ) from None
    compact = encoder.compact(QUESTION, with_image=True)
    if encoded.ids == compact:
        raise ModelError(
            "the chat template writes no placeholder that the processor knows",
            expected="one place for the image, such as "
            f"{getattr(processor, 'image_token', '<image>')!r}, and content as a list of parts",
            found=repr(chat_prompt(processor, QUESTION, with_image=True)),
            remedy="restore chat_template.jinja (or chat_template.json) of the base model",
        )
    return encoded, 1 + len(encoded.ids) - len(compact)


def _side(processor: Any) -> int:
    size = getattr(processor.image_processor, "size", None)
    height = size.get("height") if isinstance(size, dict) else getattr(size, "height", None)
    return int(height or SIDE)
