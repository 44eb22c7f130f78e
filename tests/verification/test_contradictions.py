"""What run.json says and the rest of a result contradicts is refused, whoever signed it.

Each attack is one by a holder of a trusted key: it edits run.json, makes everything again that
follows from it, as the kit does, and signs.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.evaluation.guards.agreement import NEAR_TIE_NATS as GUARD_NATS
from kit.evaluation.guards.effect import MIN_NATS
from kit.experiment.settings import MIN_ANSWERS as GUARD_MIN_ANSWERS
from kit.result.limits import MAX_FACT
from kit.signing.trust import trusted_keys
from kit.verification import guards
from kit.verification.verify import verify
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.toys.signed_result import (
    ANSWERS,
    CARD,
    KIT,
    TRUSTED,
    edit_table,
    forge,
    rejects,
    remake,
)

Edit = Callable[[dict], object]


def edit_run(result: Path, change: Edit) -> None:
    """Change run.json; cards follow its jobs, and the digest its manifest."""
    path = result / "run.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    change(run)
    if isinstance(run.get("manifest"), dict):
        run["manifest_digest"] = sha256_value(run["manifest"])
    path.write_text(json.dumps(run), encoding="utf-8")


def remake_and_sign(result: Path) -> None:
    """Make all that follows from run.json and the answers, and sign it."""
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    for job in run["jobs"]:
        path = result / "adapters" / job["name"] / "card.json"
        if path.is_file():
            card = json.loads(path.read_text(encoding="utf-8"))
            card |= {name: value for name, value in job.items() if name in card}
            path.write_text(json.dumps(card), encoding="utf-8")
    remake(result)
    forge(result)


def agreement(**values: object) -> Edit:
    return lambda run: run["guards"]["agreement"].update(values)


def canary(**values: object) -> Edit:
    return lambda run: run["guards"]["canary"].update(
        {name.replace("_", "-"): nats for name, nats in values.items()}
    )


def job(number: int, **values: object) -> Edit:
    return lambda run: run["jobs"][number].update(values)


def source(number: int, **values: object) -> Edit:
    return lambda run: run["sources"][number].update(values)


def of_manifest(section: str, **values: object) -> Edit:
    return lambda run: run["manifest"][section].update(values)


def left(count: int = 1, of: int = 200, **more: object) -> dict[str, object]:
    return {"table": "full", "kind": "caption is empty", "count": count, "of": of, "unit": "rows",
            "first": "full/x, row 3", "published": False} | more  # fmt: skip


def odd(*entries: dict[str, object]) -> Edit:
    return lambda run: run.update(left_out=list(entries))


def whole(**values: object) -> Edit:
    return lambda run: run["manifest"].update(values)


def method(**values: object) -> Edit:
    return lambda run: run["manifest"]["methods"][0].update(values)


def versions(**values: int) -> Edit:
    return lambda run: run["versions"].update(values)


def label(said: str) -> Edit:
    def change(run: dict) -> None:
        run["manifest"]["methods"][0]["label"] = said
        run["systems"][1]["label"] = said

    return change


NPO = 2  # its job
CONTRADICTIONS: dict[str, tuple[Edit, str]] = {
    "list digest of zeros": (source(0, list_digest="0" * 64), "list_digest is 0000"),
    "base's list digest": (source(1, list_digest="1" * 64), "smoke-base.sha256 of this project"),
    "drawn data not locked": (source(0, locked=False), "it is not locked, but only a download"),
    "other repository": (source(1, repo="evil/base"), "repo is 'evil/base', not 'org/base'"),
    "other list": (source(0, checksums="checksums/x.sha256"), "checksums is 'checksums/x"),
    "other origin": (source(0, origin="https://evil"), "not 'drawn by the kit'"),
    "more equal than read": (agreement(equal=13), "13 equal answers of a sample of 12"),
    "more read than there are": (agreement(sample=13), "more than the 12 stored answers"),
    "fewer read than asked": (agreement(sample=1), "a sample of 1, not of"),
    "more tokens than possible": (agreement(tokens=10_000), "10000 tokens of 12 answers"),
    "no tokens": (agreement(tokens=0), "0 tokens of 12 answers"),
    "nats above their limit": (agreement(largest_nats=0.5), "more than the limit 0.01"),
    "a limit of one's own": (agreement(limit_nats=9.0), "not the manifest's 0.01"),
    "no limit": (agreement(limit_nats=None), "limit_nats is missing"),
    "an adapter without effect": (canary(person_npo_s1=0.0), "person-npo-s1 moves 0.0e\\+00"),
    "a canary of no system": (canary(evil=1.0), "evil is no system"),
    "no canary": (lambda run: run["guards"].update(canary={}), "vanilla is missing"),
    "one step": (job(0, steps=1), "vanilla: 1 steps, not 5"),
    "more steps": (job(NPO, steps=41), "41 steps, not 40"),
    "stopped without a rule": (job(0, stopped="enough"), "gives it no stop rule"),
    "fewer steps without a reason": (job(NPO, stopped=None), "30 steps, not 40"),
    "no steps": (job(0, steps=None), "its steps are not stated"),
    "odd micro-batch": (job(NPO, micro_batch_size=7), "do not divide a batch of 16"),
    "fewer passes than steps": (job(0, forward_passes=1), "1 forward passes in 5 steps"),
    "larger columns than allowed": (of_manifest("split", max_per_column=1), "more than 1"),
    "no limit of a column": (of_manifest("split", max_per_column=None), "is missing"),
    "the digest of another job": (job(0, digest="bc" * 32), "another job has its digest"),
    "another engine": (lambda run: run.update(engine={"engine": "evil"}), "engine is 'evil'"),
    "another type": (lambda run: run.update(engine={"dtype": "float16"}), "dtype is 'float16'"),
    "more odd rows than the rule allows": (odd(left(3)), "full: 3 of 200 rows were left out"),
    "odd rows of two kinds": (odd(left(2), left(kind="b")), "full: 3 of 200 rows were left out"),
    "one kind twice": (odd(left(), left()), "'caption is empty' is stated 2 times"),
    "a table of two sizes": (odd(left(), left(of=300, kind="b")), "full has 200 and 300 rows"),
    "every row odd": (odd(left(5, 5, published=True)), "all of its 5 rows were left out"),
    "a key that no manifest has": (whole(award="Best paper"), "manifest.award: Extra inputs"),
    "a key that no method has": (method(award="Best paper"), "manifest.methods.0.award: Extra"),
    "a rate that no method has": (method(learning_rate=-1.0), "methods.0.learning_rate: Input"),
    "a share of more than all": (of_manifest("split", forget_percent=10**400), "forget_percent"),
    "an earlier protocol": (versions(protocol=1), "found: Versions\\(protocol=1, "),
    "an earlier rule of marks": (versions(marks=2), "marks 3\n  found: Versions"),
    "a label that is not seen": (label("\u3164"), "a character that is not seen: '\\\\u3164'"),
    "a label with a blank": (label("NPO "), "'NPO ' is written with a blank at one end"),
    "a label over other lines": (label("N" + "\u0301" * 9), "2 accents on a letter"),
    "the label of Vanilla": (label("vanilla"), "'vanilla' is that of the vanilla model"),
    "no evaluation": (lambda run: run["manifest"].pop("evaluation"), "evaluation is missing"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_the_result_contradicts_is_refused(damaged, name):
    change, reason = CONTRADICTIONS[name]
    edit_run(damaged, change)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, reason)


def test_the_edit_alone_is_what_is_refused(damaged):
    edit_run(damaged, lambda run: None)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0


def test_odd_rows_within_the_rule_are_said(damaged):
    published = left(150, kind="b", published=True)
    edit_run(damaged, odd(left(2), published, left(unit="questions")))
    remake_and_sign(damaged)
    said = [str(each.message) for each in verify(damaged, trusted=TRUSTED).findings]
    assert "odd entries of the published tables that were left out: 153 (in full)" in said
    report = json.loads((damaged / "report" / "report.json").read_text(encoding="utf-8"))
    assert [each["count"] for each in report["left_out"]] == [2, 150, 1]
    for page in ("report.md", "report.html"):
        text = (damaged / "report" / page).read_text(encoding="utf-8")
        assert "caption is empty" in text
        assert "a form known to be published" in text


def test_a_record_of_a_row_that_cannot_be_left_is_a_contradiction(damaged):
    for row, name in enumerate(["clear/full/0#name", "clear/full/1#name", "clear/full/2#name"]):
        old = pd.read_parquet(damaged / "records.parquet").loc[row, "id"]
        for table, column in (
            ("records", "id"),
            ("sets", "record_id"),
            (ANSWERS[:-8], "record_id"),
        ):
            path = damaged / f"{table}.parquet"
            frame = pd.read_parquet(path)
            frame[column] = frame[column].replace(old, name)
            frame.to_parquet(path, index=False)
    edit_run(damaged, odd(left(1, 3)))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "uses 3 rows of full, of which 2 were kept")


TYPES: dict[str, tuple[Edit, str]] = {
    "attempts": (lambda run: run.update(attempts={"a": 1}), "attempts"),
    "odd rows": (lambda run: run.update(left_out={"full": 1}), "left_out"),
    "a count of odd rows": (odd(left("1")), "left_out.0.count"),  # type: ignore[arg-type]
    "no odd row": (odd(left(0)), "left_out.0.count"),
    "an attempt": (lambda run: run["attempts"].append(3), "attempts.3"),
    "an attempt's time": (lambda run: run["attempts"][0].update(utc=5), "attempts.0.utc"),
    "a day that is none": (lambda run: run.update(written="2026-13-41T99:99:99"), "written"),
    "attacks": (lambda run: run.update(attacks=5), "attacks"),
    "a time that is none": (lambda run: run["attempts"][0].update(utc="now"), "attempts.0.utc"),
    "digest of a job": (job(0, digest="ab"), "jobs.0.digest"),
    "seconds of a job": (job(0, seconds="1"), "jobs.0.seconds"),
    "steps of a job": (job(0, steps=True), "jobs.0.steps"),
    "needs of a job": (job(0, needs={"forget": "yes"}), "jobs.0.needs.forget"),
    "a licence": (source(0, licence=["CC0"]), "sources.0.licence"),
    "a licence of a page": (source(0, licence="a" * (MAX_FACT + 1)), "at most 2000 characters"),
    "hosts": (source(0, hosts={"h": -1}), "sources.0.hosts.h"),
    "a revision": (source(1, revision="main"), "sources.1.revision"),
    "locked": (source(0, locked="yes"), "locked"),
    "guards": (lambda run: run.update(guards=[]), "guards"),
    "canary": (lambda run: run["guards"].update(canary={"vanilla": "1"}), "guards.canary.vanilla"),
    "sample": (agreement(sample="12"), "guards.agreement.sample"),
    "stages": (lambda run: run.update(stages=[{"stage": 1}]), "stages.0.stage"),
    "written": (lambda run: run.update(written=5), "written|5"),
    "packages": (lambda run: run["environment"].update(packages={"numpy": 2}), "packages"),
    "threads": (lambda run: run["environment"].update(torch_threads=-1), "torch_threads"),
    "engine": (lambda run: run.update(engine="vllm"), "engine"),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_fact_of_another_type_is_refused_by_name(damaged, name):
    change, reason = TYPES[name]
    edit_run(damaged, change)
    forge(damaged)
    rejects(damaged, VerificationError, reason)


def test_a_card_may_not_say_what_the_job_does_not(damaged):
    path = damaged / CARD
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"award": "best paper"}), encoding="utf-8")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "award is no field of a card")


def drop(damaged: Path, *, keep: Callable[[pd.DataFrame], pd.Series]) -> None:
    sets = pd.read_parquet(damaged / "sets.parquet")
    sets[keep(sets)].to_parquet(damaged / "sets.parquet", index=False)


def test_a_record_that_no_column_asks_is_refused(damaged):
    drop(damaged, keep=lambda sets: sets["record_id"] != "p1")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "p1 is in no column")


def test_an_image_of_no_source_is_refused(damaged):
    edit_table(damaged / "records.parquet", 0, "image", "elsewhere/x.png")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "the image elsewhere/x.png is in no source")


def test_the_manifest_of_a_later_kit_may_have_other_keys(damaged):
    def later(run):
        run["manifest"]["award"] = "Best paper"
        run["kit"] = {**KIT, "version": "99.0.0", "renderer": "0" * 64}

    edit_run(damaged, later)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).rows > 0


def test_a_download_that_is_not_locked_is_said(damaged):
    edit_run(damaged, source(1, locked=False))
    remake_and_sign(damaged)
    said = [f.message for f in verify(damaged, trusted=TRUSTED).findings if f.outcome != "ok"]
    assert said == ["source base is NOT locked: the run itself listed what it found"]


def test_a_list_that_this_project_lacks_is_said(damaged):
    def elsewhere(run):
        run["manifest"]["model"]["source"]["checksums"] = "checksums/none.sha256"
        run["sources"][1] |= {"checksums": "checksums/none.sha256", "list_digest": "2" * 64}

    edit_run(damaged, elsewhere)
    remake_and_sign(damaged)
    (said,) = [f.message for f in verify(damaged, trusted=TRUSTED).findings if f.outcome != "ok"]
    assert said == "source base: checksums/none.sha256 is not in this project and was not compared"


@pytest.mark.parametrize("path", ["../../etc/passwd", "/dev/zero", "checksums/../../x", "/outside"])
def test_a_list_outside_the_project_is_not_read(damaged, path):
    def outside(run):
        run["manifest"]["model"]["source"]["checksums"] = path
        run["sources"][1]["checksums"] = path

    edit_run(damaged, outside)
    remake_and_sign(damaged)
    (said,) = [f.message for f in verify(damaged, trusted=TRUSTED).findings if f.outcome != "ok"]
    assert "is not in this project" in said


def test_an_early_result_that_lacks_a_fact_is_told_so():
    early = FOLDER / "0.2.0"
    found = verify(early / RESULT, trusted=trusted_keys(early / PUBLIC))
    said = [f.message for f in found.findings if f.outcome != "ok"]
    assert "no system's canary is stated: that adapters had an effect was not recorded" in said


def test_an_engine_that_shows_no_likelihoods_probes_nothing_and_that_is_said(damaged):
    def blind(run):
        run["manifest"]["evaluation"]["engine"] = "transformers"
        run["guards"]["canary"] = {}

    edit_run(damaged, blind)
    remake_and_sign(damaged)
    said = [f.message for f in verify(damaged, trusted=TRUSTED).findings if f.outcome != "ok"]
    assert said == ["the engine shows no likelihoods: that adapters had an effect was not probed"]


@pytest.mark.parametrize("tokens", [17, -1])
def test_an_answer_of_more_tokens_than_asked_for_is_refused(damaged, tokens):
    edit_table(damaged / ANSWERS, 0, "tokens", tokens)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "an answer has a number of tokens that is not in 0 to 16")


def test_words_without_a_token_are_no_answer(damaged):
    edit_table(damaged / ANSWERS, 0, "tokens", 0)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "an answer has words and no token")


def test_an_agreement_that_states_nothing_is_refused(damaged):
    edit_run(damaged, lambda run: run["guards"].update(agreement={"sample": 12}))
    forge(damaged)
    rejects(damaged, VerificationError, "neither equal answers nor nats are stated")


def test_the_verifier_and_the_guards_have_the_same_limits():
    assert guards.MIN_CANARY_NATS == MIN_NATS
    assert guards.MIN_ANSWERS == GUARD_MIN_ANSWERS
    assert guards.NEAR_TIE_NATS == GUARD_NATS
