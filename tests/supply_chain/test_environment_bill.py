"""The SBOM of a run's environment lists run.json's packages, with hashes, and is CycloneDX."""

import copy
import json
import subprocess
from importlib.metadata import distributions

import pytest

from kit.artifacts import write_json
from kit.experiment.manifest_file import load_manifest
from kit.result.layout import BILL
from kit.supply_chain.environment import bill_faults, environment_bill
from kit.supply_chain.licences import Licence, licences
from kit.supply_chain.locks import Package, read_lock
from kit.supply_chain.machine import environment, lock_path
from tests.runs.container_tools import tool
from tests.toys.dataset import TOY

VERSION = "0.1.0"
HERE = {"python": "3.11.2", "packages": {"Torch": "2.13.0+cpu", "b_c": "1", "d": "4"}}
LOCKED = [Package("torch", "2.13.0+cpu", ("ab" * 32,)), Package("b-c", "2", ("cd" * 32,))]
LICENCES = [Licence("torch", "2.13.0+cpu", "BSD-3-Clause", True, False)]


def bill():
    return environment_bill(HERE, VERSION, LOCKED, LICENCES)


@pytest.fixture(scope="module")
def here():
    """Description and SBOM of the environment that the tests run in."""
    manifest = load_manifest(TOY)
    found = environment(manifest)
    return found, environment_bill(found, VERSION, read_lock(lock_path()), licences())


def test_it_lists_python_and_each_package_under_its_normalised_name():
    versions = [(each["name"], each["version"]) for each in bill()["components"]]
    expected = [("python", "3.11.2"), ("b-c", "1"), ("d", "4"), ("torch", "2.13.0+cpu")]
    assert versions == expected
    assert bill()["components"][3]["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert bill()["components"][3]["licenses"] == [{"expression": "BSD-3-Clause"}]


def test_a_package_has_hashes_only_if_it_is_the_one_that_was_locked():
    _, other, unlocked, torch = bill()["components"]
    assert torch["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert "externalReferences" not in other, "another version than the lock's"
    assert "externalReferences" not in unlocked


def test_equal_environments_have_equal_bills_and_others_another_serial_number():
    again = copy.deepcopy(HERE)
    again["packages"] = dict(reversed(HERE["packages"].items()))
    assert environment_bill(again, VERSION, LOCKED, LICENCES) == bill()
    assert "timestamp" not in bill()["metadata"]
    again["packages"]["d"] = "5"
    other = environment_bill(again, VERSION, LOCKED, LICENCES)
    assert other["serialNumber"] != bill()["serialNumber"]


def test_a_bill_that_says_what_run_json_says_has_no_fault_whatever_its_hashes():
    assert list(bill_faults(bill(), HERE, VERSION)) == []
    assert list(bill_faults(environment_bill(HERE, VERSION), HERE, VERSION)) == []


def test_the_bill_of_this_environment_has_all_its_packages_and_hashes(here):
    found, made = here
    names = {Package(str(each.name), "").key for each in distributions()}
    assert {each["name"] for each in made["components"]} == names | {"python"}
    assert list(bill_faults(json.loads(json.dumps(made)), found, VERSION)) == []
    hashed = {each["name"] for each in made["components"] if "externalReferences" in each}
    assert {"torch", "transformers", "peft", "pandas"} <= hashed


@pytest.mark.slow
def test_cyclonedx_own_validator_accepts_it(here, tmp_path):
    write_json(tmp_path / BILL, here[1])
    check = (
        "import sys; from cyclonedx.schema import SchemaVersion as V; "
        "from cyclonedx.validation.json import JsonStrictValidator as J; "
        "wrong = J(V.V1_6).validate_str(open(sys.argv[1]).read()); "
        "sys.exit(str(wrong) if wrong else 0)"
    )
    command = [tool("python"), "-c", check, str(tmp_path / BILL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
