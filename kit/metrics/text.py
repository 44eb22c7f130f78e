"""How close an answer's words are to the reference, and whether it is broken text."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from kit.metrics.definition import Answer
from kit.metrics.words import contains_phrase, words
from kit.records import Record

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

GRAM = 4  # words; shorter grams repeat in sound prose, longer ones miss short loops


def keyword_recall(answer: Answer, record: Record) -> float | None:
    """Return the share of the event's distinct keywords that the answer holds as whole phrases.

    None where the record lists no keyword.
    """
    keywords = {words(keyword) for keyword in record.keywords} - {()}
    if not keywords:
        return None
    found = sum(contains_phrase(answer.text, " ".join(keyword)) for keyword in keywords)
    return found / len(keywords)


def event_forget(answer: Answer, record: Record) -> float | None:
    """Return 1 - keyword_recall; an answer about anything else, or about nothing, scores 1.0."""
    recall = keyword_recall(answer, record)
    return None if recall is None else 1.0 - recall


def rouge_l_recall(answer: Answer, record: Record) -> float | None:
    """Return LCS / words of the reference (stemmed): what TOFU and CLEAR call ROUGE-L.

    None where the reference has no word that ROUGE reads (its tokens are a-z and 0-9).
    """
    score = _rouge_l(answer.text, record.answer)
    return None if score is None else score[0]


def rouge_l_f1(answer: Answer, record: Record) -> float | None:
    """Return the F1 of ROUGE-L (stemmed), as in MLLMU-Bench; None as for the recall.

    Unlike the recall it falls when an answer hides the reference in a flood of other words.
    """
    score = _rouge_l(answer.text, record.answer)
    return None if score is None else score[1]


def repetition(answer: Answer, record: Record) -> float | None:
    """Return 1 - distinct 4-grams / 4-grams of the answer's words; None below four words."""
    tokens = words(answer.text)
    grams = [tokens[i : i + GRAM] for i in range(len(tokens) - GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else None


def unterminated(answer: Answer, record: Record) -> float:
    """Return 1.0 if generation ended at the length limit instead of an end token."""
    return float(answer.stop == "length")


@cache
def _scorer() -> "RougeScorer":
    # Imported on first use: rouge_score brings nltk, a second that `--help` should not wait for.
    from nltk.stem.porter import PorterStemmer
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenize import tokenize

    class StemmingTokenizer:
        """rouge_score's own tokens with its own stemmer, each word stemmed once (4 x faster)."""

        stem = staticmethod(lru_cache(maxsize=1 << 16)(PorterStemmer().stem))

        def tokenize(self, text: str) -> list[str]:
            return list(tokenize(text, self))

    return RougeScorer(["rougeL"], tokenizer=StemmingTokenizer())


@lru_cache(maxsize=1 << 16)
def _rouge_l(text: str, reference: str) -> tuple[float, float] | None:
    """Return (recall, F1) of ROUGE-L, or None where the reference has no token.

    Equal pairs are scored once: systems often give the same answer, and this is the slow metric.
    """
    if not any(c.isascii() and c.isalnum() for c in reference):
        return None
    score = _scorer().score(reference, text)["rougeL"]
    return float(score.recall), float(score.fmeasure)
