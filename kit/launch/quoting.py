"""Text of a manifest and of the command line, quoted for where it goes: comment, shell, YAML."""

import json
import shlex
from collections.abc import Sequence

# Line ends in YAML 1.1, and a mark that it may strip: to be escaped although they are printable.
BREAKS = "\u2028\u2029\ufeff"


def comment(text: str) -> str:
    """Return the text on one line, so that nothing of it can leave the comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def shell(words: str | Sequence[str]) -> str:
    """Return one word, or the words of a command, as a shell reads them back."""
    return shlex.quote(words) if isinstance(words, str) else shlex.join(words)


def yaml(value: str | Sequence[str]) -> str:
    """Return text as YAML's double-quoted scalar, or several as a list: JSON, which YAML reads."""
    said = json.dumps(value, ensure_ascii=False)
    return "".join(c if _plain(c) else f"\\u{ord(c):04x}" for c in said)


def block(text: str, indent: int) -> str:
    """Return text as YAML's literal block, `indent` spaces deep; what does not fit in one, quoted.

    The block's key stands two spaces less deep.
    """
    if not text.strip("\n") or not all(_plain(c) or c in "\t\n" for c in text):
        return yaml(text)
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    lines = (body + "\n" * (ends - 1 if ends > 1 else 0)).split("\n")
    return f"|2{chomping}\n" + "\n".join(" " * indent + line if line else "" for line in lines)


def _plain(character: str) -> bool:
    """Whether YAML takes a character as it is."""
    code = ord(character)
    if character in BREAKS or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF):
        return False
    return 0x20 <= code <= 0x7E or code >= 0xA0
