"""A short document that is written as Markdown and as LaTeX, with the same words.

All text is escaped: whatever a manifest or a claim contains is printed and never acts as markup.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.names import printable
from kit.report.pages import markdown_cell

# What LaTeX acts on. A slash and an underscore may end a line, so that addresses fit a column.
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_\allowbreak{}", "/": r"/\allowbreak{}", "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "`": r"\char96{}", "\u201c": "``", "\u201d": "''", "\u2019": "'",
    "\u2013": "--", "\u2026": r"\dots{}",
}  # fmt: skip
LONGEST_WORD, PART = 30, 16  # letters
LIGATURES = "-',"  # two of them become another character
LAST_LATIN = "\u017f"  # of Latin Extended-A, which T1 fonts have but for these letters
_LACKING = "\u0126\u0127\u0138\u013f\u0140\u0149\u0166\u0167\u017f"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """A list of terms with what is said of them."""

    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Commands:
    """Lines to be typed."""

    lines: Sequence[str]


Block = Text | Facts | Commands


@dataclass(frozen=True)
class Section:
    """A section; `level` is 1 for a section of the document and 2 for a part of one."""

    title: str
    blocks: Sequence[Block] = ()
    level: int = 1


def to_markdown(title: str, sections: Sequence[Section]) -> bytes:
    """Return the document as Markdown."""
    lines = [f"# {markdown_cell(title)}"]
    for section in sections:
        lines += ["", f"{'#' * (section.level + 1)} {markdown_cell(section.title)}"]
        for block in section.blocks:
            lines += ["", *_markdown(block)]
    return ("\n".join(lines) + "\n").encode()


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield markdown_cell(text)
        case Facts(facts):
            yield from (
                f"- **{markdown_cell(term)}** {markdown_cell(text)}" for term, text in facts
            )
        case Commands(lines):
            yield "```bash"
            yield from (printable(line, keep="").replace("`", "'") for line in lines)
            yield "```"


def to_latex(title: str, sections: Sequence[Section]) -> bytes:
    """Return the document as LaTeX to be read by \\input; its one package is fontenc with T1."""
    lines = ["% By the PEBench reproducibility kit. \\input it where it belongs, with T1 fonts:"]
    lines.append("% \\usepackage[T1]{fontenc}")
    # Long names in narrow columns: a loose line is better than one that leaves the page.
    lines += [r"\begingroup\sloppy", rf"\section{{{latex(title)}}}"]
    for section in sections:
        lines += ["", rf"\{'sub' * section.level}section{{{latex(section.title)}}}"]
        for block in section.blocks:
            lines += ["", *_latex(block)]
    lines += ["", r"\endgroup"]
    return ("\n".join(lines) + "\n").encode()


def _latex(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield latex(text)
        case Facts(facts):
            yield r"\begin{itemize}"
            yield from (rf"\item \textbf{{{latex(term)}}} {latex(text)}" for term, text in facts)
            yield r"\end{itemize}"
        case Commands(lines):
            yield r"\begin{quote}\raggedright"
            yield from (rf"\texttt{{{latex(line)}}}\\" for line in lines)
            yield r"\end{quote}"


def latex(text: str) -> str:
    """Return a text as LaTeX prints it, on one line: no character of it acts as a command.

    A character that the usual fonts lack is printed as its number, such as [U+1F600].
    """
    return " ".join(map(_word, printable(text).split()))


def _word(word: str) -> str:
    """Return a word that cannot act; a long one, such as a digest, may end a line inside."""
    if len(word) > LONGEST_WORD:
        parts = (word[at : at + PART] for at in range(0, len(word), PART))
        return r"\allowbreak{}".join(map(_word, parts))
    return "".join(
        ("{}" if letter in LIGATURES and letter == before else "") + _letter(letter)
        for before, letter in zip(" " + word, word, strict=False)
    )


def _letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if letter > LAST_LATIN or letter in _LACKING:
        return f"[U+{ord(letter):04X}]"
    return letter
