"""A user who names something near a result is told where the result is."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from kit.artifacts import PROJECT
from kit.cli.entry import main
from kit.errors import DataError, ManifestError, MissingStageError, VerificationError
from kit.experiment.manifest_file import load_manifest
from kit.result.argument import find_result, require_made_from
from tests.toys.dataset import TOY


@pytest.fixture
def result(tmp_path):
    folder = tmp_path / "my results" / "smoke-1"
    (folder / "report").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "report" / "report.html").write_text("<html>")
    return folder


def refused(path):
    with pytest.raises(DataError) as error:
        find_result(str(path))
    return error.value


def test_a_result_is_found_signed_or_not(result):
    assert find_result(str(result)) == result


def test_the_result_of_a_run_with_changes_is_found_by_the_same_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path))
    changes = ("seeds=[7]", "claims=[]")
    name = load_manifest(TOY, changes=changes).run_name
    (tmp_path / name).mkdir()
    assert find_result(str(TOY), changes) == tmp_path / name
    with pytest.raises(MissingStageError, match=r"there is no result of .* yet"):
        find_result(str(TOY))
    digest = load_manifest(TOY, changes=changes).digest()
    require_made_from(str(TOY), digest, changes)
    with pytest.raises(VerificationError, match="is one of another manifest"):
        require_made_from(str(TOY), digest)


def test_a_folder_is_one_result_and_changes_of_it_are_refused(result):
    with pytest.raises(ManifestError, match="is a folder") as caught:
        find_result(str(result), ["seeds=[7]"])
    assert caught.value.remedy.startswith("leave --set out")


@pytest.mark.parametrize("verb", ["verify", "rescore", "show", "sign"])
def test_every_verb_about_one_result_takes_changes(verb, result, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb, str(result), "--set", "seeds=[7]"])
    assert ended.value.code == ManifestError.exit_code
    assert "--set changes a manifest, and" in capsys.readouterr().err


def test_the_verb_about_two_results_says_why_it_takes_no_changes(result, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(result), str(result), "--set", "seeds=[7]"])
    assert ended.value.code == ManifestError.exit_code
    assert "because it could refer to either result" in capsys.readouterr().err


def test_the_reference_is_named_alike_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_result("manifests/reference/smoke") == PROJECT / "manifests/reference/smoke"


def test_the_result_one_level_down_is_named(result):
    (result.parent / "__MACOSX" / "smoke-1").mkdir(parents=True)
    (result.parent / "__MACOSX" / "smoke-1" / "._run.json").write_bytes(b"\0")
    error = refused(result.parent)
    assert error.remedy == f"name the result: {result}"
    assert find_result(error.remedy.removeprefix("name the result: ")) == result


@pytest.mark.parametrize("name", ["run.json", "report/report.html"])
def test_a_file_of_a_result_names_the_folder(result, name):
    error = refused(result / name)
    assert "is a file of a result" in error.what
    assert find_result(error.remedy.removeprefix("name the folder: ")) == result


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize("inside", [True, False], ids=["in a folder", "at the top"])
def test_the_remedy_for_an_archive_leads_to_the_result(result, tmp_path, monkeypatch, kind, inside):
    root = result.parent if inside else result
    archive = shutil.make_archive(str(tmp_path / "sent"), kind, root)
    shutil.rmtree(result.parent)
    monkeypatch.chdir(tmp_path)
    remedy = refused(archive).remedy
    command, folder = re.fullmatch(r"unpack it: (.*); then name the folder (.*)", remedy).groups()
    words = shlex.split(command)
    subprocess.run([sys.executable, *words[1:]], check=True)
    assert (find_result(folder) / "report" / "report.html").is_file()


def test_an_archive_without_a_result_and_a_damaged_one_are_named(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").write_text("a")
    archive = shutil.make_archive(str(tmp_path / "sent"), "zip", tmp_path / "other")
    assert "holds no whole result" in refused(archive).remedy


def test_a_page_alone_is_not_a_result(tmp_path):
    (tmp_path / "report.html").write_text("<html>")
    assert "get the whole result folder" in refused(tmp_path / "report.html").remedy


def test_what_does_not_exist_is_no_result(tmp_path):
    error = refused(tmp_path / "nothing")
    assert error.what == f"no result in {tmp_path / 'nothing'}: it does not exist"
    assert error.remedy.startswith("check the path; ")


def test_a_misspelt_folder_is_told_from_the_one_beside_it(result):
    error = refused(result.with_name("smoke-2"))
    assert "does not exist" in error.what
    assert find_result(error.remedy.removeprefix("did you mean ").rstrip("?")) == result


def test_where_nothing_is_near_the_newest_result_of_ones_own_is_named(result, monkeypatch):
    monkeypatch.setenv("PEBENCH_RESULTS", str(result.parent))
    newest = refused("/nowhere/at/all").remedy.rpartition(" is ")[2]
    assert find_result(newest) == result
