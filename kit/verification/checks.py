"""The checks of `verify`, in order: what costs little comes first. `CHECKS` is the whole list.

`kit.verification.findings.FUNCTIONS` has the function of each.

Nothing in a result is interpreted before a trusted key has signed for its bytes. No check needs a
network, a model or torch.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check of `verify`: what it proves if it passes, and what it leaves open."""

    name: str
    proves: str
    does_not_prove: str


CHECKS = (
    Check(
        "signature",
        "A key or identity that you trust has signed the statement about this result; if it is a "
        "workflow of a build service, at which commit and in which run.",
        "Who holds the key, or that it was not stolen.",
    ),
    Check(
        "files",
        "The folder holds exactly the signed files: none is changed, missing, renamed or added.",
        "That the files say something true.",
    ),
    Check(
        "statements",
        "The three signatures are by one key and list the same files; what they say is what "
        "run.json and claims.json say.",
        "When the result was signed.",
    ),
    Check(
        "plan",
        "Systems, sources, jobs and files are those that the manifest in run.json implies, with "
        "the steps that it asks for; nothing it names was left out, no attack and no question of "
        "an attack either. Keys and values are those that a kit writes, texts read as they are "
        "written, and the kit's version fits them. Needs and costs of jobs can be. Columns are no "
        "larger than allowed, and the same for all targets; no person or event is forgotten and "
        "kept, and Reworded asks for the facts of Efficacy. Tuned methods have what follows from "
        "the attempts, which are of this experiment.",
        "That no other run was made and left out, that a stated cost was measured, or that the "
        "records of a column are those that the split draws from the data; or which ones an attack "
        "relearned. What this kit does not know of methods and attacks: the output names it.",
    ),
    Check(
        "sources",
        "Each source has origin and licence as the manifest names them. If this project has the "
        "list that the manifest names, the digest in run.json is that list's, and every image of "
        "a record is listed. What was left out of the published tables is within the rule, and no "
        "record uses it. Thumbnails are of images that records name.",
        "Lists that this project does not have, and sources that are not locked: the output names "
        "them. What a thumbnail shows.",
    ),
    Check(
        "guards",
        "run.json states an effect of every adapter, and an agreement of the two implementations "
        "as the manifest demands it.",
        "That these values were measured.",
    ),
    Check(
        "adapters",
        "The result holds exactly the adapters that the manifest keeps: float32 LoRA weights of "
        "its rank and modules, or full updates of them (safetensors, all numbers finite), its "
        "settings, one line of losses for each step, and no two adapters alike, nearly one update "
        "or opposite ones.",
        "That the adapters were trained as stated, or that the answers are theirs.",
    ),
    Check(
        "rows",
        "Every row of rows.parquet follows from the stored answers, by the version of the metric "
        "that the row names. Answers have no more words than tokens, likelihoods are the sums of "
        "their tokens, and one model reads one text in one way.",
        "That the answers came from running the kit, or that questions and right answers are the "
        "benchmark's.",
    ),
    Check(
        "claims",
        "Every verdict follows from the answers, by the version of the rule that claims.json "
        "names.",
        "That the claims are those you have in mind: --claims MANIFEST compares them.",
    ),
    Check(
        "numbers",
        "Every number in report.json and in the CSV files follows from the answers and run.json. "
        "The CSV files hold no formula.",
        "The wording of sentences there.",
    ),
    Check(
        "pages",
        "HTML, Markdown and figure of the report are, byte for byte, what this kit renders from "
        "the verified numbers.",
        "Anything about pages, or sentences in report.json, that another renderer made: they may "
        "say anything, and the output says so. `report RESULT --to FOLDER` makes pages with the "
        "verified numbers.",
    ),
    Check(
        "metadata",
        "Each model card says what run.json says of its job, the SBOM lists its packages, and the "
        "RO-Crate gives each file its signed digest. Where this kit rendered the result, they are "
        "compared byte for byte.",
        "Licences and hashes of packages in the SBOM. In cards that another renderer wrote, the "
        "words and the values of the model-index.",
    ),
)  # fmt: skip
