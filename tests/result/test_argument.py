"""A user who names something near a result is told where the result is."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from kit.artifacts import PROJECT
from kit.errors import DataError
from kit.result.argument import find_result


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
    assert "no result in" in refused(tmp_path / "nothing").what
