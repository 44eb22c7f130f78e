"""The recipe for own data, followed from an empty folder to a finished result."""

import re
import shutil
import tomllib

import pytest
from PIL import Image

from kit.benchmarks.pebench.csv import Reading, read_table
from kit.benchmarks.pebench.shapes import absent_field, image_lines, mapping_of
from kit.experiment.manifest import Columns
from tests.readmes.pages import PROJECT, block
from tests.readmes.test_recipes import Copy

PAGE = "kit/benchmarks/README.md"
# Two steps, one target and one method instead of the whole experiment.
SHORT = """
targets = ["person"]
[[methods]]
name = "npo"
label = "NPO"
method = "npo"
targets = ["person"]
[finetune]
steps = 2
warmup_steps = 1
[unlearn]
steps = 2
warmup_steps = 1
target_steps = {}
[evaluation]
engine = "transformers"
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with the data of steps 1 to 3."""
    made = Copy(tmp_path_factory.mktemp("project") / "copy")
    shutil.copytree(PROJECT / "docker", made.root / "docker")
    table = block(PAGE, "csv", "file,name")
    data = made.root / "my-data"
    data.mkdir()
    (data / "PEBench.csv").write_text(table, encoding="utf-8")
    for number, line in enumerate(table.splitlines()[1:]):
        image = data / line.split(",")[0]
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (60 * number, 80, 120)).save(image)
    made.write(block(PAGE, "toml", "my-data"))
    return made


def verb(name):
    """Return the words of a step's command, without `./run.sh`."""
    return block(PAGE, "bash", f"./run.sh {name} manifests/my-data.toml").split()[1:]


@pytest.mark.slow
def test_own_data_is_described_after_the_steps_of_the_readme(copy):
    refused = copy.kit(*verb("data describe"), code=2)
    assert "`./run.sh lock manifests/my-data.toml`" in refused, "the remedy is the step left out"
    assert "5 files listed in checksums/my-data.sha256" in copy.kit(*verb("lock"))
    described = copy.kit(*verb("data describe"))
    assert "reference  Łucja Żak" in described or "reference  Иван Петров" in described
    assert "P-Eff" in described
    assert "P-World" not in described
    assert described.count("no Real columns") == described.count("no World columns") == 1


@pytest.mark.slow
def test_changed_data_is_refused_until_it_is_listed_as_the_error_says(copy):
    copy.kit(*verb("lock"))
    table = copy.root / "my-data" / "PEBench.csv"
    kept = table.read_text(encoding="utf-8")
    table.write_text(kept.replace("red kite", "blue kite"), encoding="utf-8")
    refused = copy.kit(*verb("data describe"), code=4)
    assert "`./run.sh lock manifests/my-data.toml`" in refused
    assert "changed: PEBench.csv" in copy.kit(*verb("lock"))
    table.write_text(kept, encoding="utf-8")


@pytest.mark.extended
def test_own_data_gets_a_signed_result_that_verifies(copy, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    manifest = copy.root / "manifests" / "my-data.toml"
    whole = manifest.read_text(encoding="utf-8")
    top, _, tables = whole.partition("[[sources]]")
    short_top, _, short_tables = SHORT.partition("[[methods]]")
    tables = tables.replace("[finetune]\n", "", 1).replace("rehearsal = 0", "", 1)
    short_tables = short_tables.replace("[finetune]\n", "[finetune]\nrehearsal = 0\n")
    manifest.write_text(f"{top}{short_top}[[sources]]{tables}[[methods]]{short_tables}", "utf-8")
    copy.kit(*verb("lock"))
    said = copy.kit(*verb("all"))
    assert re.search(r"ok  the \d+ files of the report follow from them, byte for byte", said)
    (report,) = (copy.root / "results").glob("my-data-*/report/report.md")
    text = report.read_text(encoding="utf-8")
    assert "## Table 1. Forgetting people\n" in text
    for absent in ("P-World |", "P-Real |", "E-Eff |", "not run", "Not run"):
        assert absent not in text
    assert text.count("no World columns") == 1
    manifest.write_text(whole, encoding="utf-8")


def test_the_mapping_for_one_row_per_person_is_one(tmp_path):
    columns = Columns(**tomllib.loads(block(PAGE, "toml", "events[]"))["benchmark"]["columns"])
    path = tmp_path / "PEBench.csv"
    cell = (
        '[{""title"": ""chess"", ""text"": ""plays""}, {""title"": ""tea"", ""text"": ""drinks""}]'
    )
    path.write_text(f'name,events\nAda,"{cell}"\n', encoding="utf-8")
    table = read_table(path, Reading(), lambda header: True)
    mapped = mapping_of(columns, table.header)
    assert absent_field(mapped, table.header) is None
    found = [line.cells for line in image_lines(table, mapped).lines]
    assert [(each["file"], each["description"]) for each in found] == [
        ("images/Ada/chess", "plays"),
        ("images/Ada/tea", "drinks"),
    ]
