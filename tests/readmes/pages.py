"""The project's READMEs: where they are, their code blocks, and what is generated in them."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = (".", "checksums", "docker", "kit", "manifests", "tests")
# A base model's card and the cards of a signed result are no pages of the project.
OTHERS = ("kit/smoke/base/", "manifests/reference/smoke", "tests/compat/0", "tests/compat/1")
WRITTEN_BY = "written by `python -P -m tests.readmes`"


def pages() -> list[Path]:
    """Return every README that the project wrote for readers, sorted."""
    found = [PROJECT / "README.md"]
    for folder in FOLDERS[1:]:
        found += (PROJECT / folder).rglob("README.md")
    return sorted(p for p in found if not p.relative_to(PROJECT).as_posix().startswith(OTHERS))


def text_of(page: str) -> str:
    """Return a page by its path in the project."""
    return (PROJECT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of one language, in order; `""` is none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def block(page: str, language: str, part: str) -> str:
    """Return the one code block of a language that contains `part`."""
    (found,) = [block for block in blocks(page, language) if part in block]
    return found


def generated(page: str, name: str) -> str:
    """Return what a page holds between the two marks of `name`."""
    begin, end = _marks(name)
    before, found, rest = text_of(page).partition(begin)
    inside, closed, _ = rest.partition(end)
    assert found, f"{page} has no mark of '{name}'"
    assert closed, f"{page} has no closing mark of '{name}'"
    assert begin not in before + inside
    return inside.strip("\n")


def write(page: str, name: str, content: str) -> None:
    """Put `content` between the two marks of `name`."""
    begin, end = _marks(name)
    text = text_of(page)
    old = generated(page, name)
    start = text.index(begin) + len(begin)
    stop = text.index(end, start)
    assert old == text[start:stop].strip("\n")
    (PROJECT / page).write_text(f"{text[:start]}\n{content}\n{text[stop:]}", encoding="utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: {WRITTEN_BY} -->", f"<!-- /{name} -->"
