"""Several adapters in a signed result: their common rank, and what may be said of their merging."""

import json
import shutil
from pathlib import Path

import pytest

from kit.errors import VerificationError
from kit.verification.verify import verify
from tests.toys.adapter import MODULES, RANK, write_adapter
from tests.toys.signed_result import TRUSTED, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

FOLDER = "adapters/person-npo-s1"
RULE = {"adapters": ["image", "retain"], "method": "smfa",
        "options": {"k_image": 5.0, "k_text": 10.0, "text_view": False}}  # fmt: skip


@pytest.fixture
def several(damaged: Path) -> Path:
    """A result whose unlearned system is two adapters in one file, with a rule."""
    fill(damaged, count=2)
    write(damaged, RULE)

    def change(run):
        section = run["manifest"]["methods"][0]
        section |= {"method": "smfa", "options": {"text_view": False}}
        run["systems"][1]["method"] = "smfa"
        run["jobs"][2]["needs"]["merging"] = True

    edit_run(damaged, change)
    return damaged


def fill(result, count):
    """Write weights of `count` adapters of the manifest's rank, side by side."""
    kept = {p.name: p.read_bytes() for p in (result / FOLDER).iterdir()
            if p.name in ("card.json", "README.md")}  # fmt: skip
    said = json.loads((result / FOLDER / "adapter_config.json").read_text())
    steps = len((result / FOLDER / "losses.jsonl").read_text().splitlines())
    shutil.rmtree(result / FOLDER)
    write_adapter(
        result / FOLDER, seed=5, steps=steps, alpha=count * said["lora_alpha"], rank=count * RANK,
        modules=MODULES,
    )  # fmt: skip
    for name, content in kept.items():
        (result / FOLDER / name).write_bytes(content)


def write(result: Path, rule: object) -> None:
    (result / FOLDER / "merging.json").write_text(json.dumps(rule))


def test_a_result_with_merged_adapters_is_verified_and_its_card_says_what_they_are(several):
    remake_and_sign(several)
    assert verify(several, trusted=TRUSTED).files > 0
    card = (several / FOLDER / "README.md").read_text()
    assert "merging.json" in card
    assert "library_name" not in card, "PEFT would load their sum"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({**RULE, "method": "npo"}, "method is 'npo', not 'smfa'"),
        ({**RULE, "options": {}}, "option 'text_view' is 'None', not 'False'"),
        ({**RULE, "adapters": ["a", "b", "c"]}, "but the rank is 6"),
        ({**RULE, "adapters": ["a", "a"]}, "not distinct names"),
        ([], "no JSON object"),
    ],
)
def test_a_rule_that_is_not_the_manifest_s_is_refused(several, rule, reason):
    write(several, rule)
    remake_and_sign(several)
    rejects(several, VerificationError, reason)


def test_a_rule_that_is_missing_is_named(several):
    (several / FOLDER / "merging.json").unlink()
    remake_and_sign(several)
    rejects(several, VerificationError, r"merging\.json: it is missing")


def test_one_adapter_in_place_of_several_is_refused(several):
    fill(several, count=1)
    write(several, RULE)
    remake_and_sign(several)
    rejects(several, VerificationError, "but the rank is 4")


def test_a_rule_beside_one_adapter_is_no_file_of_a_result(damaged):
    write(damaged, RULE)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "files are signed that no result has")
