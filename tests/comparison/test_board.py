"""A board counts what verifies, once, and shows of it what `compare` says; nothing else."""

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.cli.entry import main
from kit.comparison.board import COUNTED, OTHER, REFUSED, LeftOut, make_board
from kit.comparison.board_page import board_page, headline
from kit.comparison.compare import compare
from kit.comparison.copies import Said, Shared, shared
from kit.comparison.trust import Trust, name_folders
from kit.digests import sha256_value
from kit.errors import SignatureError, VerificationError
from kit.result.argument import find_results
from kit.result.stored import read_result
from kit.signing.allowed_signers import TrustedKey
from kit.signing.keys import fingerprint, public_line
from kit.signing.sign import sign
from kit.signing.trust import GIVEN
from kit.verdicts.outcome import Outcome
from tests.report.browser.chromium import chromium, needs_chromium
from tests.toys.signed_result import ANSWERS, edit_table, remake, write_result

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in range(1, 4)]
TRUST = Trust(
    tuple(TrustedKey(k.public_key(), GIVEN, f"/home/{n}.pub") for n, k in enumerate(KEYS[:2]))
)
EVIL = '<script>x</script>\u202e" onload=x'


def rename(folder: Path, name: str) -> None:
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["manifest"]["name"] = name
    run["manifest_digest"] = sha256_value(run["manifest"])
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The reference, a result that equals it in all but its name, one that does not, and others."""
    root = tmp_path_factory.mktemp("board")
    folders = {name: root / name / "tiny" for name in ("reference", "equal", "worse", "unknown")}
    for name, folder in folders.items():
        write_result(folder)
        if name == "reference":
            rename(folder, "tiny-reference")
        if name == "worse":  # NPO names whom it should forget, as Vanilla does
            edit_table(folder / ANSWERS, 5, "text", "Ann1 Lee")
        remake(folder)
        key = {"worse": 1, "unknown": 2}.get(name, 0)
        sign(folder, key=KEYS[key])
    tampered = Path(shutil.copytree(folders["equal"], root / "tampered" / "tiny"))
    edit_table(tampered / ANSWERS, 0, "text", "no idea")
    again = Path(shutil.copytree(folders["equal"], root / "again" / "tiny"))
    for name in ("manifest.intoto.json", "test-result.intoto.json", "SHA256SUMS.sig"):
        (again / name).unlink()
    sign(again, key=KEYS[1])
    other = write_result(root / "other" / "tiny")
    rename(other, "other")
    remake(other)
    sign(other, key=KEYS[0])
    empty = root / "empty"
    empty.mkdir()
    return folders | {"tampered": tampered, "again": again, "other": other, "empty": empty}


@pytest.fixture(scope="module")
def board(made):
    given = {n: f for n, f in made.items() if n != "reference"} | {"twin": made["reference"]}
    return make_board(given, ("goal", made["reference"]), TRUST)


def test_only_what_verifies_is_counted_and_the_rest_has_its_reason(board):
    assert [result.name for result in board.results] == ["equal", "worse"]
    left = {each.name: (each.kind, each.reason) for each in board.left_out}
    assert {name: kind for name, (kind, _) in left.items()} == {
        "unknown": REFUSED, "tampered": REFUSED, "empty": REFUSED, "again": COUNTED,
        "other": OTHER, "twin": COUNTED,
    }  # fmt: skip
    assert "not signed by a key that you trust" in left["unknown"][1]
    assert "answers.parquet" in left["tampered"][1]
    assert "is not signed" in left["empty"][1]
    assert left["again"][1] == "its files are those of equal; it is signed by a key given as 1.pub"
    assert left["twin"][1].startswith("its files are those of the reference itself")
    assert "made from other-" in left["other"][1]


def test_signers_are_told_by_their_keys_and_no_folder_of_the_reader_is_shown(board, made):
    assert [r.key for r in board.results] == [fingerprint(key.public_key()) for key in KEYS[:2]]
    page = board_page(board)
    assert all(result.key in page for result in board.results)
    assert "/home" not in page
    assert "<bdi>empty is not signed" in page, "by its name"
    assert str(made["empty"].parent) not in page
    assert "They are signed by 2 different keys or identities." in page


def test_each_verdict_and_each_difference_is_that_of_compare(board, made):
    page = board_page(board)
    for number, name in enumerate(("equal", "worse")):
        goal = read_result(made["reference"], pages=False)
        found = compare(read_result(made[name], pages=False), goal)
        assert board.results[number].comparison.claims == found.claims
        assert board.results[number].comparison.reproduced is found.reproduced
        signs = re.findall(rf'title="R{number + 1}: (\w+)"', page)
        assert signs == [str(claim.outcome) for claim in found.claims]
        lines = re.findall(
            rf'<th scope="row">R{number + 1}</th><td><span[^>]*>(\w+)</span></td><td>(.*?)</td>'
            r"<td>(.*?)</td><td>(.*?)</td>", page,
        )  # fmt: skip
        for (outcome, value, _, difference), claim in zip(lines, found.claims, strict=True):
            assert outcome == str(claim.outcome)
            assert value == "-" or float(value) == pytest.approx(100 * claim.value, abs=0.05)
            if claim.finding is not None:
                assert float(difference) == pytest.approx(100 * claim.finding.difference, abs=0.05)
    outcomes = {c.claim.id: c.outcome for c in board.results[1].comparison.claims}
    assert outcomes["C2"] is not Outcome.REPRODUCED, "the second result forgets less"


def test_the_first_lines_count_what_the_table_has(board):
    page = unescape(board_page(board))
    claims = board.results[0].comparison.claims
    by_all = sum(
        all(r.comparison.claims[n].outcome is Outcome.REPRODUCED for r in board.results)
        for n in range(len(claims))
    )
    assert "8 folders were given: 2 are compared below, 3 do not verify, 3 are left out" in page
    assert f"Of {len(claims)} claims of the reference, {by_all} " in page
    assert "made on 2026-01-02 on 1 kind of machine" in page
    count = sum(r.comparison.reproduced for r in board.results)
    assert headline(board).startswith(f"{count} of 2 results")


def test_one_result_is_spoken_of_as_one(board):
    page = unescape(board_page(replace(board, results=board.results[:1])))
    assert "It is signed by 1 key or identity." in page
    assert "By its own statement, it was made on 2026-01-02 on 1 kind of machine." in page


def test_equal_answers_are_told_however_they_are_stored(made, tmp_path):
    """A copy may be packed in another way, have its rows in another order, and another signer."""
    reference, worse = made["reference"], made["worse"]
    stored = pd.read_parquet(worse / ANSWERS)
    folders = {"worse": worse, "equal": made["equal"]}
    for name, rows, packed in (("zipped", stored, "zstd"), ("turned", stored[::-1], "snappy")):
        folders[name] = Path(shutil.copytree(worse, tmp_path / name))
        rows.to_parquet(folders[name] / ANSWERS, index=False, compression=packed)
        remake(folders[name])
        sign(folders[name], key=KEYS[0])
    board = make_board(folders, ("goal", reference), TRUST)
    assert [(r.name, r.equal_to, r.shared) for r in board.results] == [
        ("worse", "", ""), ("equal", "the reference", "all 12"), ("zipped", "worse", "all 12"),
        ("turned", "worse", "all 12"),
    ]  # fmt: skip
    page = unescape(board_page(board))
    assert "They hold 2 different sets of answers." in page
    assert "1 result has the answers of the reference" in page
    assert "Its answers are equal to those of <bdi>worse</bdi>: all 12." in page


def test_equal_answers_are_told_because_they_may_be_a_copy(board):
    copy = replace(board.results[0], name="copy", equal_to="equal")
    page = board_page(replace(board, results=(*board.results, copy)))
    assert "They hold 2 different sets of answers." in page
    assert "Its answers are equal to those of <bdi>equal</bdi>" in page
    assert "sets of answers" not in board_page(board)


@pytest.mark.parametrize(("changed", "copied"), [(0, True), (1, True), (4, True), (5, False)])
def test_a_copy_may_differ_in_less_than_one_answer_of_two_hundred(changed, copied):
    names = [f"q{n}" for n in range(1000)]
    one = pd.DataFrame({"system": "npo", "record_id": names, "text": names})
    other = one.assign(text=[f"{n} x" if k < changed else n for k, n in enumerate(names)])
    found = shared(Said.of(one), Said.of(other.sample(frac=1, random_state=1)))
    assert (found.equal, found.common, found.is_copy) == (1000 - changed, 1000, copied)


def test_answers_to_other_questions_are_not_compared():
    one = pd.DataFrame({"system": "npo", "record_id": ["a", "b"], "text": "x"})
    assert shared(Said.of(one), Said.of(one.assign(system="dpo"))).is_copy is False
    assert shared(Said.of(one), Said.of(one.assign(record_id=["b", "c"]))) == Shared(1, 1)


def test_fifty_results_have_fifty_columns(board):
    many = tuple(replace(board.results[n % 2], name=f"lab{n}/tiny") for n in range(50))
    page = board_page(replace(board, results=many))
    assert len(re.findall(r'<th scope="col">R\d+</th>', page)) == 50
    assert page.count('title="R50: ') == len(board.reference.verdicts)
    assert "of 50 results" in headline(replace(board, results=many))


def test_a_stranger_s_texts_are_text_and_nothing_is_loaded(board):
    evil = replace(board.results[0], name=EVIL, machine=EVIL, kit=EVIL, written=EVIL, signer=EVIL)
    out = tuple(LeftOut(EVIL, kind, EVIL) for kind in (REFUSED, OTHER, COUNTED))
    page = board_page(replace(board, title=EVIL, run_name=EVIL, results=(evil,), left_out=out))
    assert "<script" not in page
    assert "\u202e" not in page
    assert not re.search(r"<(link|img|iframe|form)\b| on\w+=\"| src=", page)
    assert "default-src 'none'" in page
    assert page.count("&lt;script&gt;") >= 12


def test_without_a_single_result_there_is_no_board_and_each_reason_is_named(made):
    given = {name: made[name] for name in ("tampered", "unknown")}
    with pytest.raises(VerificationError, match="no result can be compared") as caught:
        make_board(given, ("goal", made["reference"]), TRUST)
    assert "tampered: does not verify" in str(caught.value)
    assert "unknown: does not verify" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("unknown", "name the keys of the signers"), ("reference", "name a result of another run")],
)
def test_the_remedy_fits_why_no_result_is_left(made, name, remedy):
    with pytest.raises(VerificationError) as caught:
        make_board({name: made[name]}, ("goal", made["reference"]), TRUST)
    assert caught.value.remedy.startswith(remedy)


def test_a_reference_that_does_not_verify_ends_it(made):
    with pytest.raises(SignatureError, match="the reference goal does not verify"):
        make_board({"equal": made["equal"]}, ("goal", made["unknown"]), TRUST)


def test_folders_have_the_shortest_names_that_differ(tmp_path):
    one, two = tmp_path / "ann" / "tiny", tmp_path / "bob" / "tiny"
    for folder in (one, two):
        folder.mkdir(parents=True)
    assert name_folders([one]) == {"tiny": one}
    assert name_folders([one, two, one / "."]) == {"ann/tiny": one, "bob/tiny": two}


def test_a_folder_of_results_stands_for_them(made, tmp_path):
    for name in ("b", "a"):
        shutil.copytree(made["equal"], tmp_path / name)
    (tmp_path / "notes").mkdir()
    assert find_results(str(tmp_path)) == [tmp_path / "a", tmp_path / "b"]
    assert find_results(str(made["equal"])) == [made["equal"]]


def test_a_manifest_may_claim_more_and_the_limits_of_the_reference_decide(made, tmp_path):
    folder = write_result(tmp_path / "more")
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    claims = run["manifest"]["claims"]
    claims[0] |= {"at_most": 0.01, "equivalence": 0.5}
    claims.append(claims[0] | {"id": "C5"})
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    rename(folder, "more")
    remake(folder)
    sign(folder, key=KEYS[0])
    given = {"more": folder, "equal": made["equal"]}
    board = make_board(given, ("goal", made["reference"]), TRUST)
    (shown,) = board.results
    assert (shown.name, board.left_out[0].kind) == ("more", OTHER)
    goal = read_result(made["reference"], pages=False)
    assert shown.comparison.claims == compare(read_result(made["equal"], pages=False), goal).claims
    assert 'id="C5"' not in board_page(board)


@pytest.fixture(scope="module")
def claimless(tmp_path_factory):
    """A verified result whose manifest claims nothing."""
    folder = write_result(tmp_path_factory.mktemp("claimless") / "tiny")
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    run["manifest"] |= {"claims": [], "name": "claimless"}
    run["manifest_digest"] = sha256_value(run["manifest"])
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (folder / "report" / "claims.csv").unlink()
    sign(remake(folder), key=KEYS[0])
    return folder


def test_what_makes_no_claims_is_no_reference_and_is_left_out_as_a_result(made, claimless):
    with pytest.raises(VerificationError, match="goal makes no claims") as refused:
        make_board({"equal": made["equal"]}, ("goal", claimless), TRUST)
    assert "--reference" in refused.value.remedy
    given = {"equal": made["equal"], "claimless": claimless}
    board = make_board(given, ("goal", made["reference"]), TRUST)
    assert [result.name for result in board.results] == ["equal"]
    (left,) = board.left_out
    assert (left.name, left.kind) == ("claimless", OTHER)
    assert left.reason.startswith("it was made from claimless-")
    assert left.reason.endswith(", which makes no claims")


def run(*arguments: object) -> int:
    try:
        main([str(each) for each in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_verb_writes_a_new_page_and_says_what_it_left_out(made, tmp_path, capsys):
    trust = []
    for number, key in enumerate(KEYS[:2]):
        file = tmp_path / f"{number}.pub"
        file.write_text(public_line(key.public_key()), encoding="utf-8")
        trust += ["--trust", file]
    folders = [made[name] for name in ("equal", "worse", "tampered")]
    call = ["board", *folders, "--reference", made["reference"], *trust, "--to"]
    page = tmp_path / "page.html"
    assert run(*call, page) == 0
    said = capsys.readouterr().out
    assert "not verified: tampered/tiny: " in said
    assert "of 2 results reproduce" in said
    assert "equal/tiny" in page.read_text(encoding="utf-8")
    assert run(*call, tmp_path / "again.html") == 0
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    assert run(*call, page) == 7
    assert "exists" in capsys.readouterr().err
    assert run(*call, made["equal"] / "page.html") == 7
    assert "would break the result's signature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "FOLDER"),
        (["/nowhere/at/all"], 5, "no result in"),
        (["--identity", "me"], 2, "FOLDER"),
        (["manifests/reference/smoke", "--identity", "me"], 2, "--issuer"),
    ],
)
def test_a_wrong_call_is_refused_before_any_work(words, code, said, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("board", *words, "--to", page) == code
    assert said in capsys.readouterr().err
    assert not page.exists()


@pytest.mark.browser
@needs_chromium
def test_the_page_fits_its_window_and_breaks_no_rule_of_its_policy(board, tmp_path):
    file = tmp_path / "board.html"
    many = tuple(replace(board.results[n % 2], name=f"{n}" + "x" * 200) for n in range(50))
    file.write_text(board_page(replace(board, results=many)), encoding="utf-8")
    with chromium(tmp_path / "profile") as page:
        for width in (1300, 400):
            page.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
                      deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
            page.send("Page.navigate", url=file.as_uri())
            page.until("document.readyState === 'complete' && !!document.querySelector('h1')")
            page.run("document.querySelectorAll('details').forEach((each) => each.open = true)")
            assert page.run("document.documentElement.scrollWidth") <= width, "tables scroll"
            assert page.run("document.querySelectorAll('svg').length") == 4, "one for each claim"
        assert page.problems == []
