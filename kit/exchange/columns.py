"""What each column of a result's tables holds. READMEs and Croissant metadata use these words.

A table is named as in `kit.exchange.Result`.
"""

from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    DISTANCES,
    LIKELIHOODS,
    RECORDS,
    ROWS,
    SETS,
    TOKENS,
)

FILES = {
    "records": RECORDS, "sets": SETS, "answers": ANSWERS, "likelihoods": LIKELIHOODS, "rows": ROWS,
    "attacked": ATTACKED, "tokens": TOKENS, "distances": DISTANCES,
}  # fmt: skip
ROLES = "answer (the right one), paraphrase or candidate"
_RECORD_ID = "the record's id"
_SYSTEM = "the name of the system, as in `systems`"
_COUNT = "how many tokens were generated"
_STOP = "why generation ended: eos (the model ended it) or length (it was cut off)"
_PLACES = {
    "target": "what is forgotten; a row of its table",
    "part": "the half of the target that is asked about",
    "column": "the column of the tables, such as efficacy or retain",
}

COLUMNS: dict[str, dict[str, str]] = {
    "records": {
        "id": "the record's id; all other tables name it record_id",
        "concept": "what the question is about: person, event, presence and so on",
        "question": "the question",
        "answer": "the right answer",
        "person": "the person that the record is about; empty for none",
        "event": "the event that the record is about; empty for none",
        "keywords": "words that an answer about the event should have",
        "candidates": "wrong answers, or the options of a multiple choice",
        "paraphrase": "the right answer in other words; empty for none",
        "group": "records of one group share this name; empty for none",
        "image": "the path of the picture in its source; empty for a question without one",
    },
    "sets": {**_PLACES, "record_id": _RECORD_ID},
    "answers": {
        "record_id": _RECORD_ID, "system": _SYSTEM, "text": "the answer", "tokens": _COUNT,
        "stop": _STOP,
    },
    "likelihoods": {
        "record_id": _RECORD_ID, "system": _SYSTEM, "role": f"the given text: {ROLES}",
        "text": "the given text", "logprob": "its log-probability in nats, summed over its tokens",
        "tokens": "how many tokens it has",
    },
    "rows": {
        "system": _SYSTEM, "target": _PLACES["target"],
        "method": "the file of the method, vanilla or retain_only",
        "label": "the printed name of the method", "seed": "the seed of training; null for none",
        "part": _PLACES["part"],
        "column": f"{_PLACES['column']}; all for a metric that belongs to no single one",
        "metric": "the name of the metric", "version": "the version of its definition",
        "value": "the value; null where there is none", "reason": "why there is no value, or empty",
        "n": "answers that have a value", "clusters": "people or events that these are about",
        "low": "lower end of the 95 % interval", "high": "upper end of the 95 % interval",
        "better": "the better direction: higher, lower, or empty for neither",
        "headline": "whether tables print this metric for the column",
    },
    "systems": {
        "name": "the name of the system", "entry": "the manifest's name of its method",
        "target": "what it forgets; null for Vanilla, which is measured for every target",
        "method": "the file of the method, vanilla or retain_only",
        "label": "the printed name of the method", "seed": "the seed of training; null for none",
    },
    "claims": {
        "id": "the claim's id in the manifest",
        "verdict": "REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE or SKIPPED",
        "reason": "why, where it needs saying",
        "text": "the claim in words", "location": "where the claim was made, such as a table",
        "kind": "bound, difference, and so on", **_PLACES,
        "metric": "the metric and the version of its definition",
        "system": "the manifest's name of the method", "other": "the method it is held against",
        "other_target": "the target of the other method, where it differs",
        "unit": "what is resampled: cluster or record",
        "direction": "the direction of the claim: at most, at least, higher, lower or within",
        "threshold": "the number that the interval is held against",
        "margin": "the claimed margin of a difference", "value": "the value; null for none",
        "low": "lower end of the 90 % interval", "high": "upper end of the 90 % interval",
        "n": "answers that have a value", "clusters": "people or events that these are about",
        "units": "how many units are resampled", "seeds": "how many seeds are taken together",
        "detectable": "the smallest distance from the threshold that would have been seen",
        "cost": "what the claim costs to check, if the manifest says it",
        "forgetting": "whether the claim is one of forgetting", "other_part": "the other part",
        "other_metric": "the other metric", "share": "the claimed share of a published difference",
        "published": "the published difference, as a share",
        "size": "the measured difference as a share of the published one",
        "sign": "whether the measured one has the same sign: same, opposite or no difference",
        "attack": "the manifest's name of an attack",
        "level": "the strength of the attack",
    },
    "attacked": {
        "system": _SYSTEM, "target": _PLACES["target"], "attack": "the manifest's name of it",
        "level": "its strength, in the unit of the attack", "record_id": _RECORD_ID,
        "question": "what was asked under the attack",
        "picture": "how the shown picture was made; empty for the record's own",
        "text": "the answer", "tokens": _COUNT, "stop": _STOP,
    },
    "tokens": {
        "record_id": _RECORD_ID, "system": _SYSTEM, "role": f"the given text: {ROLES}",
        "text": "the given text", "zlib_bytes": "the size of the text, compressed by zlib",
        "logprob": "log-probability of each token, in nats",
        "rank": "rank of each token; 1 is the likeliest",
        "entropy": "entropy of each token's distribution, in nats",
        "deviation": "standard deviation of the log-probabilities under it, in nats",
    },
    "distances": {
        "record_id": _RECORD_ID, "system": _SYSTEM,
        "reference": "the Retain-only model that it is held against",
        "divergence": "Jensen-Shannon divergence at each token, in bits",
        "distance": "L2 distance of the two distributions at each token",
    },
}  # fmt: skip
SENTENCES = {
    "records": "One row a question.",
    "sets": "One row for each question of each column of the tables.",
    "answers": "One row for each answer of each system.",
    "likelihoods": "One row for each given answer, where the benchmark or a family needs it.",
    "rows": "One row for each system, column and metric.",
    "systems": "One row for each evaluated model.",
    "claims": "One row for each claim of the manifest, with its verdict.",
    "attacked": "One row for each answer under attack; only where the manifest has `[attack]`.",
    "tokens": "One row for each given answer; only where the manifest asks for `likelihood`.",
    "distances": "One row for each given answer; only where the manifest asks for `distance`.",
}
