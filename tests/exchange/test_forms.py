"""`report RESULT --to FOLDER --as FORM`: verified first, written whole or not at all."""

import pytest
from click.testing import CliRunner

from kit.cli.entry import main
from kit.cli.report import FORMS as NAMES
from kit.cli.report import PAGES
from kit.cli.verbs import verbs
from kit.exchange.exported import Exported
from kit.exchange.forms import FORMS, write_form
from kit.signing.keys import public_line
from kit.signing.trust import trusted_keys
from kit.verification.verify import verify
from tests.compat import FOLDER, PUBLIC, RESULT
from tests.readmes.pages import text_of
from tests.toys.signed_result import KEY


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "signer.pub"
    path.write_text(public_line(KEY.public_key()), encoding="utf-8")
    return path


def call(capsys, *words):
    try:
        main(["report", *map(str, words)])
        code = 0
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    told = capsys.readouterr()
    return code, told.out + told.err


def test_the_command_line_names_every_form_and_so_does_the_readme():
    assert set(NAMES) == {PAGES, *FORMS}
    page = text_of("kit/exchange/README.md")
    helped = CliRunner().invoke(verbs, ["report", "--help"]).output
    for name in FORMS:
        assert f"| `{name}` |" in page
        assert f"\n  {name}  " in helped


def test_a_form_is_written_after_the_result_was_verified(signed, key, tmp_path, capsys):
    folder = tmp_path / "out"
    code, said = call(capsys, signed, "--to", folder, "--as", "appendix", "--trust", key)
    assert code == 0, said
    assert "120 rows recomputed" in said
    assert f"appendix of this result: 4 files in {folder}" in said
    assert sorted(path.name for path in folder.iterdir()) == [
        "appendix.md", "appendix.tex", "checklist.md", "checklist.tex",
    ]  # fmt: skip


def test_nothing_is_written_of_a_result_that_was_changed(damaged, key, tmp_path, capsys):
    (damaged / "rows.parquet").write_bytes(b"other")
    words = ("--to", tmp_path / "out", "--as", "every-eval-ever", "--trust", key)
    code, said = call(capsys, damaged, *words)
    assert code == 1
    assert "rows.parquet" in said
    assert not (tmp_path / "out").exists()


def test_a_form_belongs_to_a_result(capsys):
    code, said = call(capsys, "manifests/smoke.toml", "--as", "croissant")
    assert code == 2
    assert "--as, --trust" in said


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.4.0"])
def test_results_of_earlier_versions_are_written_in_every_form(version, tmp_path):
    folder = FOLDER / version / RESULT
    found = verify(folder, trusted=trusted_keys(FOLDER / version / PUBLIC), keep=True)
    exported = Exported.of(found, folder)
    for form in FORMS:
        assert write_form(exported, form, tmp_path / form) > 0
    text = (tmp_path / "appendix" / "appendix.md").read_text(encoding="utf-8")
    assert f"PEBench reproducibility kit {version}, " in text
    aggregates = list((tmp_path / "every-eval-ever").rglob("*[0-9a-f].json"))
    assert len(aggregates) == len(exported.stored.systems)


def test_a_file_that_changes_meanwhile_ends_the_export_and_leaves_nothing(damaged, plain, tmp_path):
    (damaged / "sets.parquet").write_bytes(b"other")
    changed = Exported.of(plain.verification, damaged)
    with pytest.raises(Exception, match="changed while it was exported"):
        write_form(changed, "croissant", tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []
