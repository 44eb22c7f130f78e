"""Remedies are followed as they are written, and the next step succeeds.

Each situation is what people do: a step left out, a file changed, a table of another shape.
"""

import csv
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from kit import artifacts
from kit.artifacts import PROJECT, restored
from kit.cli.entry import main

PEOPLE = ["Ada Lovell", "Bo Tamm", "Łucja Żak"]
EVENTS = {"kite festival": "flies a red kite", "night market": "buys noodles at a market"}
COMMAND = re.compile(r"`\./run\.sh ([^`]+)`")


class Own:
    """Own data and its manifest, which the user of a test changes as a message says."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys
        self.manifest = root / "own.toml"
        self.top = ["claims = []"]
        self.options: dict[str, str] = {}
        self.tables = ["[finetune]\nrehearsal = 0"]
        shutil.copy(PROJECT / "manifests" / "smoke.toml", root)
        header = ["file", "name", "event", "description", "keywords"]
        rows = [
            [f"images/{person}/{i}.png", person, event, f"{person} {text}", text.replace(" ", ";")]
            for person in PEOPLE
            for i, (event, text) in enumerate(EVENTS.items())
        ]
        for row in rows:
            image = root / "data" / row[0]
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), "navy").save(image)
        self.table = root / "data" / "PEBench.csv"
        self.write(header, rows)

    def write(self, header, rows, encoding="utf-8"):
        with self.table.open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream).writerows([header, *rows])

    def rows(self):
        with self.table.open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))

    def run(self, *words: str, code: int = 0) -> str:
        """Run a verb on the manifest as it is now; return what was said."""
        options = "".join(f"{key} = {value}\n" for key, value in self.options.items())
        source = 'name = "pebench"\nfolder = "data"\nchecksums = "own.sha256"'
        source = source.replace('"data"', f'"{self.root}/data"')
        source = source.replace('"own.sha256"', f'"{self.root}/own.sha256"')
        text = "\n".join(
            ['extends = "smoke.toml"', 'name = "own"', *self.top, f"[[sources]]\n{source}",
             f"[benchmark.options]\n{options}", *self.tables]
        )  # fmt: skip
        self.manifest.write_text(text, encoding="utf-8")
        self.capsys.readouterr()
        ended = 0
        try:
            main([*words])
        except SystemExit as end:
            ended = int(end.code or 0)
        said = "".join(self.capsys.readouterr())
        assert ended == code, said
        return said

    def lock(self, code=0):
        return self.run("lock", str(self.manifest), code=code)

    def describe(self, code=0):
        return self.run("data", "describe", str(self.manifest), code=code)

    def follow(self, said: str, verb: str) -> str:
        """Run the command of a verb that a message names, exactly as it is written."""
        (command,) = [c for c in COMMAND.findall(said) if c.split()[0] == verb]
        return self.run(*shlex.split(command))


@pytest.fixture
def own(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(tmp_path / "results"))
    return Own(tmp_path, capsys)


def test_a_folder_that_was_never_listed(own):
    said = own.describe(code=2)
    assert "7 files listed" in own.follow(said, "lock")
    assert "P-Eff" in own.describe()


def test_a_plan_says_which_list_is_missing_and_how_to_write_it(own):
    said = own.run("plan", str(own.manifest))
    assert "7 files listed" in own.follow(said, "lock")
    assert "must write" not in own.run("plan", str(own.manifest))


def test_a_table_that_was_changed(own):
    own.lock()
    own.table.write_bytes(own.table.read_bytes().replace(b"red kite", b"blue kite"))
    said = own.describe(code=4)
    assert "changed: PEBench.csv" in own.follow(said, "lock")
    own.describe()


def test_an_image_that_is_gone(own):
    own.lock()
    image = own.root / "data" / "images" / PEOPLE[0] / "0.png"
    image.rename(own.root / "elsewhere.png")
    said = own.describe(code=5)
    assert f"put back the files of {own.root}/data" in said
    (own.root / "elsewhere.png").rename(image)
    own.describe()


def test_a_list_that_was_damaged(own):
    own.lock()
    (own.root / "own.sha256").write_text("no list\n", encoding="utf-8")
    said = own.describe(code=4)
    own.follow(said, "lock")
    own.describe()


def test_columns_of_other_names(own):
    _, *rows = own.rows()
    own.write(["Picture", "Identity", "Activity", "Caption", "keywords"], rows)
    said = own.lock(code=5)
    block = "".join(said.partition("[benchmark.columns]")[1:])
    assert tomllib.loads(block)["benchmark"]["columns"]["person"] == "Identity"
    own.tables.append(block)
    own.lock()
    own.describe()


def test_own_events_without_keywords(own):
    header, *rows = own.rows()
    own.write(header[:4], [row[:4] for row in rows])
    own.lock()
    said = own.describe(code=5)
    assert "biking" not in said
    block = said.partition("`:\n")[2]
    file = "\n".join(line.strip() for line in block.splitlines())
    (own.root / "data" / "keywords.csv").write_text(file + "\n", encoding="utf-8")
    assert "added: keywords.csv" in own.follow(said, "lock")
    own.describe()


def test_a_table_in_another_encoding(own):
    header, *rows = own.rows()
    own.write(header, [[cell.replace("Łucja Żak", "José") for cell in row] for row in rows])
    (own.root / "data" / "images" / PEOPLE[2]).rename(own.root / "data" / "images" / "José")
    own.table.write_bytes(own.table.read_text(encoding="utf-8").encode("cp1252"))
    said = own.lock(code=5)
    assert "PEBench.csv, line 6: byte 0xe9" in said
    own.options |= {"encoding": re.search(r'encoding = ("\w+")', said)[1]}
    own.lock()
    assert "José" in own.describe()


def test_rehearsal_without_a_table_for_it(own):
    own.tables = []
    own.lock()
    said = own.describe(code=5)
    line = re.search(r"`(rehearsal = 0)` in (\[finetune\])", said)
    own.tables.append(f"{line[2]}\n{line[1]}")
    own.describe()


def test_claims_that_are_inherited(own):
    own.lock()
    own.top = []
    method = 'name = "npo"\nlabel = "NPO"\nmethod = "npo"\ntargets = ["person"]'
    own.tables.append(f"[[methods]]\n{method}")
    said = own.describe(code=2)
    assert "inherited from smoke.toml" in said
    own.top.append(re.search(r"`(claims = \[\])`", said)[1])
    own.describe()


def test_a_file_of_the_project_comes_back_with_the_command_that_the_message_prints(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(artifacts, "PROJECT", tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "init", "-q"], check=True)
    kept = tmp_path / "a file.txt"
    kept.write_text("kept", encoding="utf-8")
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    kept.unlink()
    command = re.search(r"`([^`]+)`", restored(kept))[1]
    subprocess.run(shlex.split(command), check=True)
    assert kept.read_text(encoding="utf-8") == "kept"
    assert "of your own" in restored(tmp_path / "untracked.txt")
    shutil.rmtree(tmp_path / ".git")
    assert "unpack the kit again" in restored(kept)
