"""A question and an answer as text, by the chat template of a base model.

The template is the processor's own. It has to give the same text for the same words on every day,
to show the question and the image, and to append an answer to its prompt.
"""

from typing import Any

from jinja2 import TemplateError

from kit.errors import ModelError

Message = dict[str, object]
RESTORE = "restore chat_template.jinja (or chat_template.json) of the base model"
MARK = "\ufeff"  # what an editor may write before a text
TODAY = "strftime_now"  # the function of the day's date, which templates may call


def chat_prompt(processor: Any, question: str, *, with_image: bool) -> str:
    """Return the text that the model answers, by the processor's own chat template.

    Raises:
        ModelError: there is no chat template, or it refuses the question.
    """
    return _rendered(processor, [_asked(question, with_image)], add_generation_prompt=True)


def answer_text(processor: Any, question: str, answer: str, *, with_image: bool) -> str:
    """Return what the chat template appends to the prompt for `answer`, end token included.

    Raises:
        ModelError: the chat template changes the prompt when an answer follows, or the tokenizer
            has no end token.
    """
    prompt = chat_prompt(processor, question, with_image=with_image)
    said: Message = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    whole = _rendered(processor, [_asked(question, with_image), said])
    following = whole[len(prompt) :]
    if not whole.startswith(prompt) or answer not in following:
        raise ModelError(
            "the chat template does not append the answer to the prompt",
            expected=f"{prompt!r} followed by the answer",
            found=repr(whole[:300]),
            remedy=RESTORE,
        )
    text = following.rstrip()
    # Gemma's turns end in a token of their own, which is not the tokenizer's end token.
    tokenizer = processor.tokenizer
    if tokenizer.eos_token is None:
        raise ModelError(
            "the base's tokenizer has no end token, so no answer can end",
            expected="eos_token in tokenizer_config.json",
            found="none",
            remedy="restore tokenizer_config.json and special_tokens_map.json of the base model",
        )
    return text if text.endswith(_end_marks(tokenizer)) else text + str(tokenizer.eos_token)


def answer_end(processor: Any) -> int:
    """Return the token that ends every answer in training."""
    text = answer_text(processor, "Who?", "Ada", with_image=False)
    return int(processor.tokenizer(text, add_special_tokens=False)["input_ids"][-1])


def _end_marks(tokenizer: Any) -> tuple[str, ...]:
    """Return the tokenizer's end token and all special tokens: an answer is none of them."""
    added = tokenizer.added_tokens_decoder.values()
    return (tokenizer.eos_token, *(token.content for token in added if token.special))


def _asked(question: str, with_image: bool) -> Message:
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": question})
    return {"role": "user", "content": content}


def _rendered(processor: Any, messages: list[Message], **options: bool) -> str:
    try:
        return str(processor.apply_chat_template(messages, **options))
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelError(
            "the base's chat template gives no prompt for a question and an answer",
            expected="a template for messages of user and assistant, whose content is a list of "
            "image and text",
            found=first_line(error),
            remedy="use a checkpoint with a chat template for dialogues (chat_template.jinja): "
            "usually the one whose name ends in -it, -Instruct or -hf",
        ) from None


def require_template(processor: Any) -> None:
    """Check that the chat template shows image and question, and is the same text on every day.

    Raises:
        ModelError: it leaves one of them out, writes the day's date, or begins with the mark of an
            editor.
    """
    _require_steady(processor)
    _require_image(processor)
    _require_question(processor)


def _require_steady(processor: Any) -> None:
    """Refuse what would differ between two days, or stand before every prompt unseen."""
    templates = processor.chat_template
    texts = templates.values() if isinstance(templates, dict) else [templates or ""]
    if any(TODAY in str(text) for text in texts):
        raise ModelError(
            "the base's chat template writes the day's date into every prompt",
            expected="the same prompt on every day: training and evaluation may be days apart",
            found=f"a call of {TODAY} in the template",
            remedy="work with a copy of the base, which [model.source] names as `folder`. In its "
            f'chat template, put a date in place of {TODAY}(...), such as "26 Jul 2024"',
        )
    prompt = chat_prompt(processor, "Who?", with_image=True)
    if MARK in prompt:
        raise ModelError(
            "the base's chat template begins with a byte-order mark, which every prompt would have",
            expected="a template as it was published",
            found=repr(prompt[:80]),
            remedy="save chat_template.jinja as UTF-8 without the mark, or fetch it again",
        )


def _require_image(processor: Any) -> None:
    with_image, without = (chat_prompt(processor, "Who?", with_image=w) for w in (True, False))
    _require_shown("image", with_image, without, "an image token where the message has an image")


def _require_question(processor: Any) -> None:
    one, other = (chat_prompt(processor, word, with_image=True) for word in ("Who?", "Where?"))
    _require_shown("question", one, other, "the text of the user's message")


def _require_shown(part: str, one: str, other: str, expected: str) -> None:
    """Refuse a template that gives one prompt for two messages that differ in `part`."""
    if one == other:
        raise ModelError(
            f"the base's chat template leaves out the {part}",
            expected=expected,
            found=repr(one),
            remedy=RESTORE,
        )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
