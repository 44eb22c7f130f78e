"""How much of a reference text an answer shares: ROUGE and BLEU, as the benchmarks compute them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from kit.metrics.definition import Answer
from kit.records import Record

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def rouge_l_recall(answer: Answer, record: Record) -> float | None:
    """Return LCS / words of the reference (stemmed): what TOFU and CLEAR call ROUGE-L.

    None where the reference has no word that ROUGE reads (its tokens are a-z and 0-9).
    """
    score = _rouge("rougeL", answer.text, record.answer)
    return None if score is None else score[0]


def rouge_l_f1(answer: Answer, record: Record) -> float | None:
    """Return the F1 of ROUGE-L (stemmed), as in MLLMU-Bench; None as for the recall.

    Unlike the recall it falls when an answer hides the reference in a flood of other words.
    """
    return _f1("rougeL", answer, record)


def rouge_1_f1(answer: Answer, record: Record) -> float | None:
    """Return the F1 of shared words (stemmed), in any order; None as for ROUGE-L."""
    return _f1("rouge1", answer, record)


def rouge_2_f1(answer: Answer, record: Record) -> float | None:
    """Return the F1 of shared pairs of neighbouring words (stemmed); None as for ROUGE-L.

    0 where the reference is one word, also for the right answer: it has no pair.
    """
    return _f1("rouge2", answer, record)


def bleu(answer: Answer, record: Record) -> float | None:
    """Return BLEU-4 of one sentence, smoothed by nltk's method 1, as in MLLMU-Bench.

    Words are what blanks separate, with case and punctuation. Smoothing replaces an n-gram count
    of 0 by 0.1, so a right answer of fewer than four words scores far below 1. None where the
    reference is empty.
    """
    return _bleu(answer.text, record.answer) if record.answer.split() else None


@contextmanager
def _without_scipy() -> Iterator[None]:
    """Import nltk as where scipy is not installed.

    nltk takes scipy, where it is there, for significance tests that nothing here calls: 60 MB and
    a second, which a verifier on a laptop should not spend.
    """
    absent = "scipy" not in sys.modules
    if absent:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["scipy"]


@cache
def _scorer(kind: str) -> "RougeScorer":
    # Imported on first use: rouge_score brings nltk, a second that `--help` should not wait for.
    with _without_scipy():
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenize import tokenize

    class StemmingTokenizer:
        """rouge_score's own tokens with its own stemmer, each word stemmed once (4 x faster)."""

        stem = staticmethod(_stem())

        def tokenize(self, text: str) -> list[str]:
            return list(tokenize(text, self))

    return RougeScorer([kind], tokenizer=StemmingTokenizer())


@cache
def _stem() -> Callable[[str], str]:
    with _without_scipy():
        from nltk.stem.porter import PorterStemmer

    return lru_cache(maxsize=1 << 16)(PorterStemmer().stem)


def _f1(kind: str, answer: Answer, record: Record) -> float | None:
    score = _rouge(kind, answer.text, record.answer)
    return None if score is None else score[1]


@lru_cache(maxsize=1 << 16)
def _rouge(kind: str, text: str, reference: str) -> tuple[float, float] | None:
    """Return (recall, F1) of a kind of ROUGE, or None where the reference has no token.

    Equal pairs are scored once: systems often give the same answer, and this is the slow metric.
    """
    if not any(c.isascii() and c.isalnum() for c in reference):
        return None
    score = _scorer(kind).score(reference, text)[kind]
    return float(score.recall), float(score.fmeasure)


@lru_cache(maxsize=1 << 16)
def _bleu(text: str, reference: str) -> float:
    with _without_scipy():
        from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = SmoothingFunction().method1
    return float(sentence_bleu([reference.split()], text.split(), smoothing_function=smoothing))
