"""Quote text of a manifest or the command line for a comment, a shell or YAML."""

import json
import shlex
from collections.abc import Sequence

# Line breaks of YAML 1.1 and the byte-order mark, which it may strip: printable, but escaped.
ESCAPED = "\u2028\u2029\ufeff"


def quote_comment(text: str) -> str:
    """Return the text on one line, so that none of it can leave the comment."""
    return "".join(c if c.isprintable() else " " for c in text)


def quote_shell(words: str | Sequence[str]) -> str:
    """Return a word, or the words of a command, quoted for a shell."""
    return shlex.quote(words) if isinstance(words, str) else shlex.join(words)


def quote_yaml(value: str | Sequence[str]) -> str:
    """Return a text as a YAML double-quoted scalar, or several as a list; both are valid JSON."""
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if _plain(c) else f"\\u{ord(c):04x}" for c in quoted)


def quote_block(text: str, indent: int) -> str:
    """Return text as a YAML literal block, or as a quoted scalar where a block cannot hold it.

    Args:
        text: any text.
        indent: spaces before each line of the block; its key has two fewer.
    """
    if not text.strip("\n") or not all(_plain(c) or c in "\t\n" for c in text):
        return quote_yaml(text)
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomping = "-" if ends == 0 else "" if ends == 1 else "+"
    lines = (body + "\n" * (ends - 1 if ends > 1 else 0)).split("\n")
    return f"|2{chomping}\n" + "\n".join(" " * indent + line if line else "" for line in lines)


def _plain(character: str) -> bool:
    """Return whether YAML allows a character unescaped."""
    code = ord(character)
    if character in ESCAPED or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF):
        return False
    return 0x20 <= code <= 0x7E or code >= 0xA0
