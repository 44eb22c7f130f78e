"""What the files and folders of a result contain, and their media types."""

from kit.result.layout import (
    ANSWERS,
    ATTACKED,
    BILL,
    CLAIMS,
    DISTANCES,
    GRADIENTS,
    JUDGED,
    LIKELIHOODS,
    PICTURES,
    READ_BY_VANILLA,
    RECORDS,
    ROWS,
    RUN,
    SETS,
    TOKENS,
)

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
}
OTHER_MEDIA_TYPE = "application/octet-stream"
FILE_DESCRIPTIONS = {
    RUN: "The record of the run: resolved manifest, environment, sources, jobs, costs, attempts",
    RECORDS: "The records: questions, reference answers and what they are about",
    PICTURES: "Thumbnails of the images that records name (WebP as base64)",
    SETS: "The sets: which record belongs to which column of which table",
    ANSWERS: "The generated answers: one per system and record",
    ATTACKED: "The answers under attack: one per system, attack, level and record",
    LIKELIHOODS: "Log-probabilities of given answers, per system and record",
    TOKENS: "Each token of given answers: log-probability, rank, entropy and deviation",
    DISTANCES: "How far each token's distribution is from that of Retain-only",
    GRADIENTS: "How large the gradient of each answer of forget set and holdout is",
    JUDGED: "How likely each reply of the judge is about each answer in free text",
    READ_BY_VANILLA: "How likely Vanilla finds each generated answer",
    ROWS: "Metric rows with intervals, computed from the answers",
    CLAIMS: "The claims of the manifest with their verdicts",
    BILL: "The Python packages of the run (CycloneDX)",
}
FOLDER_DESCRIPTIONS = {
    "adapters": "The trained adapters, each with its model card",
    "answers": "The answers of the systems, and the likelihoods of given answers",
    "report": "The report: pages, tables and a figure, all derived from the other files",
}
