"""Every link between the project's pages leads to a file, and to a heading that is in it."""

import re
from pathlib import Path

import pytest

from tests.readmes.pages import FOLDERS, PROJECT, pages

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [match.group(1) or match.group(2) for match in LINK.finditer(text)]
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_relative_link_leads_somewhere(page):
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page}: {link}"
        assert target.is_relative_to(PROJECT), f"{page}: {link}"
        if target.is_dir():
            target = target / "README.md"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


def test_every_page_is_reached_from_the_landing_page():
    reached: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        waiting += targets & set(pages()) - reached
    assert reached == set(pages())


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_path_in_a_page_exists(page):
    """Code spans such as `kit/model/` or `model/base.py`: the project's or the page's own."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    spans = re.findall(r"`([\w./-]+)`", text)
    paths = [span for span in spans if "/" in span and span.endswith((".py", ".toml", ".sh"))]
    paths += [span for span in spans if span.split("/")[0] in FOLDERS and "/" in span]
    for path in paths:
        assert (PROJECT / path).exists() or (page.parent / path).exists(), f"{page}: {path}"
