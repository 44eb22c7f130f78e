"""A page that lists things lists all of them: manifests, locks, loaders, markers and so on."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from kit import benchmarks
from kit.benchmarks.settings import NoOptions
from kit.cli.options import DEBUG
from tests.readmes.pages import PROJECT, text_of


def listed(page: str, heading: str = "") -> set[str]:
    """Return what stands in the first column of a page's tables, without its code marks."""
    text = text_of(page).partition(f"## {heading}")[2] if heading else text_of(page)
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def names(folder: str, pattern: str) -> set[str]:
    return {path.name for path in (PROJECT / folder).glob(pattern)}


@pytest.mark.parametrize(
    ("page", "things"),
    [
        ("manifests/README.md", names("manifests", "*.toml")),
        ("checksums/README.md", names("checksums", "*.sha256")),
        ("docker/README.md", names("docker", "requirements.*.lock")),
        ("kit/benchmarks/README.md", set(benchmarks.names())),
        ("kit/benchmarks/probes/README.md", set(benchmarks.probes.names())),
    ],
    ids=["manifests", "checksum lists", "locks", "loaders", "probes"],
)
def test_a_page_lists_everything(page, things):
    assert things
    assert things <= listed(page)


def test_the_benchmarks_page_names_every_option_of_a_loader():
    page = text_of("kit/benchmarks/README.md")
    for loader in map(benchmarks.module_of, benchmarks.names()):
        for option in fields(getattr(loader, "OPTIONS", NoOptions)):
            assert f"`{option.name}`" in page, option.name


def test_the_tests_page_lists_markers_and_benches():
    pyproject = tomllib.loads(text_of("pyproject.toml"))
    markers = pyproject["tool"]["pytest"]["ini_options"]["markers"]
    assert {marker.split(":")[0] for marker in markers} <= listed("tests/README.md")
    files = {Path(name).stem for name in names("tests/bench", "[a-z]*.py")} - {
        "random_models",
        "small_runs",
    }
    assert {name.replace("gpu", "--gpu") for name in files} <= listed("tests/README.md", "Measure")


def test_the_verification_page_lists_every_option_of_verify():
    from kit.cli.signatures import verify

    options = {option for parameter in verify.params for option in parameter.opts}
    page = text_of("kit/verification/README.md")
    for option in sorted(name for name in options - {DEBUG} if name.startswith("--")):
        assert f"`{option}" in page, option
