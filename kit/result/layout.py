"""The name of every file in a result folder. Nothing else in the kit spells one of them."""

RUN = "run.json"
RECORDS, SETS = "records.parquet", "sets.parquet"
ANSWERS, LIKELIHOODS = "answers/answers.parquet", "answers/likelihoods.parquet"
PICTURES = "pictures.parquet"  # thumbnails; not where report.images is false
ATTACKED = "answers/attacked.parquet"  # only where the manifest has attacks
# Only where the manifest asks for them.
TOKENS, DISTANCES = "answers/tokens.parquet", "answers/distances.parquet"
GRADIENTS, READ_BY_VANILLA = "answers/gradients.parquet", "answers/read_by_vanilla.parquet"
JUDGED = "answers/judged.parquet"
OPTIONAL_TABLES = (TOKENS, DISTANCES, GRADIENTS, READ_BY_VANILLA, JUDGED)
ROWS = "rows.parquet"
CLAIMS = "claims.json"
# What the numbers follow from, and the numbers: all that is recomputed.
INPUTS = (RUN, RECORDS, SETS, ANSWERS, LIKELIHOODS, ROWS)

REPORT = "report/"
CRATE = "ro-crate-metadata.json"
BILL = "environment.cdx.json"

ADAPTERS = "adapters"
WEIGHTS, ADAPTER_CONFIG, LOSSES = "adapter_model.safetensors", "adapter_config.json", "losses.jsonl"
# The dense change of every adapted layer's weight, in place of the two files of LoRA.
FULL_UPDATE = "full_update.safetensors"
# Which neurons are removed; beside an adapter's weights, or alone.
NEURONS = "neurons.json"
# How the several adapters of one weights file become one update.
MERGING = "merging.json"
CARD, README = "card.json", "README.md"

ENVELOPE = "manifest.intoto.json"
TEST_RESULT = "test-result.intoto.json"
SUMS, SSH_SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
BUNDLE = "manifest.sigstore.json"
TIMESTAMP = f"{ENVELOPE}.tsr"
# A key signs three times. An identity signs the same statement in a bundle, and a timestamp
# authority signs when the envelope existed.
SIGNATURES = frozenset({ENVELOPE, TEST_RESULT, SSH_SIGNATURE})
# These files sign the list of all other files, so that list cannot contain them.
SIGNING_FILES = SIGNATURES | {BUNDLE, TIMESTAMP}
