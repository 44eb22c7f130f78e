"""`verify` recomputes what comes back under attack, and misses no attack that was left out."""

import json

import pandas as pd
import pytest

from kit.artifacts import PROJECT
from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.result.layout import ATTACKED
from kit.verification.verify import verify
from tests.toys.signed_result import (
    SYSTEMS,
    TRUSTED,
    edit_table,
    forge,
    rejects,
    remake,
    write_result,
)

ENTRIES = [
    {"name": "crop", "label": "Crop", "attack": "crop", "levels": [0.9, 0.5], "options": {}},
    {"name": "role", "label": "Role play", "attack": "role_play", "levels": [1.0], "options": {}},
]
SECTION = {"methods": [], "targets": [], "max_records": 64, "entries": ENTRIES}
CLAIM = {
    "id": "C9", "text": "It comes back.", "kind": "returns", "target": "person", "part": "person",
    "column": "efficacy", "metric": "forget_rate/1", "system": "npo", "attack": "crop",
    "level": 0.5, "at_least": 0.2,
}  # fmt: skip


MADE = "ab" * 32  # digest of a cropped picture


def attacked_table():
    rows = [
        (
            system["name"],
            "person",
            entry["name"],
            level,
            record,
            "Who?",
            MADE if entry["attack"] == "crop" else "",
            "Ann0 Lee",
            2,
            "eos",
        )
        for system in SYSTEMS
        for entry in ENTRIES
        for level in entry["levels"]
        for record in ("p0", "p1")
    ]
    names = ["system", "target", "attack", "level", "record_id", "question", "picture", "text",
             "tokens", "stop"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).astype({"tokens": "int32"})


def change_run(folder, change):
    run = json.loads((folder / "run.json").read_text())
    change(run)
    (folder / "run.json").write_text(json.dumps(run))


def change_manifest(folder, **changes):
    run = json.loads((folder / "run.json").read_text())
    run["manifest"] |= changes
    run["manifest"] = {name: value for name, value in run["manifest"].items() if value is not None}
    run["manifest_digest"] = sha256_value(run["manifest"])
    (folder / "run.json").write_text(json.dumps(run))


@pytest.fixture
def folder(tmp_path):
    """A signed result with three conditions for each of three systems, and a claim about one."""
    folder = write_result(tmp_path / "result")
    listed = (PROJECT / "checksums" / "smoke.sha256").read_text("utf-8").splitlines()
    images = [line.split("  ", 1)[1] for line in listed if line.endswith(".png")]
    records = pd.read_parquet(folder / "records.parquet")
    records["image"] = [f"tiny/{name}" for name in images[: len(records)]]
    records.to_parquet(folder / "records.parquet", index=False)
    attacked_table().to_parquet(folder / ATTACKED, index=False)
    claims = json.loads((folder / "run.json").read_text())["manifest"]["claims"]
    change_manifest(folder, attack=SECTION, claims=[*claims, CLAIM])
    change_run(folder, lambda run: run["versions"].update(attacks=2))
    forge(remake(folder))
    return folder


def change_table(folder, change):
    """Write another table, make all that follows, and sign it."""
    table = change(pd.read_parquet(folder / ATTACKED))
    table.reset_index(drop=True).to_parquet(folder / ATTACKED, index=False)
    forge(remake(folder))


def test_a_result_with_attacks_holds_and_says_how_many_answers_were_checked(folder):
    lines = verify(folder, trusted=TRUSTED).messages
    assert "18 answers under attack are those of all attacks that the manifest names" in lines
    facts = json.loads((folder / "report" / "report.json").read_text())["attacks"]
    assert len(facts["cells"]) == 3 * 3
    assert [head["entry"] for head in facts["headlines"]] == ["npo"]
    assert (folder / "report" / "attacks.svg").is_file()
    page = (folder / "report" / "report.html").read_text()
    assert "Attacks: does it come back?" in page
    figure = page.index('aria-label="What comes back under each attack, one line per method"')
    words = page.index("Behavioural: forgotten knowledge comes back under an attack")
    assert page.index("Each cell is a recovery: ") < words < figure, "explained before it is seen"
    assert page.index("An attack shows nothing if ") > figure


def test_pages_of_this_kit_judge_attacks_by_its_rule_and_earlier_ones_by_the_first(folder):
    """A result from before the second rule states none, and its pages are of another renderer."""
    change_run(folder, lambda run: run["versions"].pop("attacks"))
    forge(remake(folder))
    rejects(folder, VerificationError, "protocol 2, interval 2, marks 3, attacks 2")
    change_run(folder, lambda run: run["kit"].update(renderer="0" * 64))
    forge(remake(folder))
    assert "18 answers under attack" in "".join(verify(folder, trusted=TRUSTED).messages)


def test_an_answer_that_was_changed_gives_other_numbers(folder):
    edit_table(folder / ATTACKED, 0, "text", "Nobody.")
    forge(folder)
    rejects(folder, VerificationError, "the report does not follow from the stored answers")


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda t: t[t["attack"] != "role"], "role at 1 for target person is missing"),
        (lambda t: t[~((t["system"] == "vanilla") & (t["level"] == 0.5))],
         "crop at 0.5 for target person: vanilla is missing"),
        (lambda t: t[~((t["system"] == "retain_only-person") & (t["record_id"] == "p0"))],
         "not all systems are asked the same records"),
        (lambda t: t.assign(level=t["level"].replace(0.9, 0.8)), "crop at 0.8 .* is none of the"),
        (lambda t: t[t["record_id"] != "p0"], "1 records are asked, not all 2"),
        (lambda t: t.assign(question="What is 2 + 2?"), "p0: the systems are not asked the same"),
        (lambda t: t.assign(tokens=t["tokens"] * 100), "tokens that is not in 0 to 16"),
    ],
)  # fmt: skip
def test_what_was_left_out_of_the_attacks_is_named(folder, keep, said):
    change_table(folder, keep)
    rejects(folder, VerificationError, said)


def test_attacks_without_a_manifest_that_names_them_are_refused(folder):
    claims = json.loads((folder / "run.json").read_text())["manifest"]["claims"][:-1]
    change_run(folder, lambda run: run["versions"].pop("attacks"))
    change_manifest(folder, attack=None, claims=claims)
    forge(remake(folder))
    rejects(folder, VerificationError, r"there without a section \[attack\]")


def test_a_manifest_whose_attacks_were_not_run_is_refused(folder):
    (folder / ATTACKED).unlink()
    claims = json.loads((folder / "run.json").read_text())["manifest"]["claims"][:-1]
    change_manifest(folder, claims=claims)
    for name in ("attacks.csv", "survival.csv", "attacks.svg"):
        (folder / "report" / name).unlink()
    forge(remake(folder))
    rejects(folder, VerificationError, r"attacked\.parquet is missing")


def test_attacks_by_another_name_in_run_json_are_refused(folder):
    run = json.loads((folder / "run.json").read_text())
    run["attacks"] = [{"name": "crop", "code": "ab" * 32}]
    (folder / "run.json").write_text(json.dumps(run))
    forge(remake(folder))
    rejects(folder, VerificationError, "the attacks of run.json are not its manifest's")


def test_an_attack_that_this_kit_does_not_have_is_said(folder):
    change_manifest(folder, attack=SECTION | {"entries": [{**ENTRIES[0], "attack": "mine"}]})
    change_table(folder, lambda table: table[table["attack"] == "crop"])
    said = [f.message for f in verify(folder, trusted=TRUSTED).findings if f.outcome != "ok"]
    assert "this kit has no attack 'mine'; what it asks was not checked" in " ".join(said)


@pytest.mark.parametrize(
    ("number", "changes", "reason"),
    [
        (0, {"levels": [0.9, 0.5, 0.5]}, "crop: a level is there twice"),
        (0, {"label": "Role p1ay"}, "role: its label 'Role play' is that of attack 'crop'"),
        (1, {"label": "Cr\u043ep"}, "CYRILLIC SMALL LETTER O"),
    ],
)
def test_attacks_that_a_table_does_not_tell_apart_are_refused(folder, number, changes, reason):
    entries = [dict(entry) for entry in ENTRIES]
    entries[number] |= changes
    change_manifest(folder, attack={**SECTION, "entries": entries})
    forge(remake(folder))
    rejects(folder, VerificationError, reason)


def test_words_without_a_token_are_no_answer(folder):
    change_table(folder, lambda table: table.assign(tokens=table["tokens"] * 0))
    rejects(folder, VerificationError, "an answer has words and no token")
