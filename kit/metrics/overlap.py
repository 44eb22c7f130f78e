"""The overlap of an answer with the reference text: ROUGE and BLEU, as the benchmarks use them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

from kit.benchmarks.records import Record
from kit.metrics.definition import StoredAnswer

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def rouge_l_recall(answer: StoredAnswer, record: Record) -> float | None:
    """Return LCS / words of the reference (stemmed): the ROUGE-L of TOFU and CLEAR.

    LCS is the length of the longest common subsequence. None if the reference has no token that
    ROUGE reads (a-z and 0-9).
    """
    score = _rouge("rougeL", answer.text, record.answer)
    return None if score is None else score[0]


def rouge_l_f1(answer: StoredAnswer, record: Record) -> float | None:
    """Return the F1 of ROUGE-L (stemmed), as in MLLMU-Bench; None as for the recall.

    Unlike the recall, it falls when an answer surrounds the reference with many other words.
    """
    return _f1("rougeL", answer, record)


def rouge_1_f1(answer: StoredAnswer, record: Record) -> float | None:
    """Return the F1 of shared words (stemmed), in any order; None as for ROUGE-L."""
    return _f1("rouge1", answer, record)


def rouge_2_f1(answer: StoredAnswer, record: Record) -> float | None:
    """Return the F1 of shared pairs of adjacent words (stemmed); None as for ROUGE-L.

    It is 0 for every answer if the reference is one word, which has no pair.
    """
    return _f1("rouge2", answer, record)


def bleu(answer: StoredAnswer, record: Record) -> float | None:
    """Return BLEU-4 of one sentence, smoothed by nltk's method 1, as in MLLMU-Bench.

    Words are separated by white space; case and punctuation count. Smoothing replaces an n-gram
    count of 0 by 0.1, so a right answer of fewer than four words scores far below 1. None if the
    reference is empty.
    """
    return _bleu(answer.text, record.answer) if record.answer.split() else None


@contextmanager
def _nltk_in_parts() -> Iterator[None]:
    """Import single modules of nltk without importing its whole packages.

    The stemmer needs four files and BLEU four more. `import nltk` runs 240 files that nothing here
    calls, and imports scipy if it is installed: 17 MB, or 75 MB with scipy, too much for a verifier
    on a laptop. In this context, empty packages point to the same files. Afterwards they are
    removed, so that an `import nltk` elsewhere gets the full package.
    """
    if "nltk" in sys.modules or find_spec("nltk") is None:
        yield
        return
    try:
        for package in ("nltk", "nltk.stem", "nltk.translate"):
            if (spec := find_spec(package)) is not None:
                sys.modules[package] = module_from_spec(spec)
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "nltk"]:
            del sys.modules[name]


@cache
def _scorer(kind: str) -> "RougeScorer":
    # Imported on first use, so that `--help` does not wait for it.
    with _nltk_in_parts():
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenize import tokenize

    class StemmingTokenizer:
        """rouge_score's tokens and stemmer; each word is stemmed only once (4 x faster)."""

        stem = staticmethod(_stem())

        def tokenize(self, text: str) -> list[str]:
            return list(tokenize(text, self))

    return RougeScorer([kind], tokenizer=StemmingTokenizer())


@cache
def _stem() -> Callable[[str], str]:
    with _nltk_in_parts():
        from rouge_score.tokenizers import porter  # of nltk, as rouge_score imports it

    return lru_cache(maxsize=1 << 16)(porter.PorterStemmer().stem)


def _f1(kind: str, answer: StoredAnswer, record: Record) -> float | None:
    score = _rouge(kind, answer.text, record.answer)
    return None if score is None else score[1]


@lru_cache(maxsize=1 << 16)
def _rouge(kind: str, text: str, reference: str) -> tuple[float, float] | None:
    """Return (recall, F1) of a kind of ROUGE, or None if the reference has no token.

    Equal pairs are scored once: systems often give the same answer, and this metric is slow.
    """
    if not any(c.isascii() and c.isalnum() for c in reference):
        return None
    if kind == "rougeL":
        return _rouge_l(text, reference)
    score = _scorer(kind).score(reference, text)[kind]
    return float(score.recall), float(score.fmeasure)


def _rouge_l(text: str, reference: str) -> tuple[float, float]:
    """Return rouge_score's (recall, F1) without its table of words x words.

    For two texts of 10,000 words, that table takes minutes and gigabytes.
    """
    from rouge_score.scoring import fmeasure

    tokenize = _scorer("rougeL")._tokenizer.tokenize
    wanted, given = tokenize(reference), tokenize(text)
    if not wanted or not given:
        return 0.0, 0.0
    common = _longest_common(wanted, given)
    recall = common / len(wanted)
    return recall, float(fmeasure(common / len(given), recall))


def _longest_common(left: list[str], right: list[str]) -> int:
    """Return the length of the longest common subsequence; one int holds a row of its table.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited (AWOCA 2004), in the form with V'.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(left)) - 1
    row = full  # a bit is 0 where the length increases
    for word in right:
        shared = row & places.get(word, 0)
        row = (row + shared | row - shared) & full
    return len(left) - row.bit_count()


@cache
def _smoothed_bleu() -> Callable[..., float]:
    with _nltk_in_parts():
        from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    return partial(sentence_bleu, smoothing_function=SmoothingFunction().method1)


@lru_cache(maxsize=1 << 16)
def _bleu(text: str, reference: str) -> float:
    return float(_smoothed_bleu()([reference.split()], text.split()))
