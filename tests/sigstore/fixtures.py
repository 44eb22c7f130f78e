"""Fixtures of the tests of keyless signatures; use them as a pytest plugin."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.signing.sign import sign
from tests.sigstore.environment import ALICE, ISSUER, keyless_python, publish
from tests.sigstore.instance import Instance
from tests.toys.signed_result import KEY, copy_of


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    keyless_python()
    with Instance() as running:
        yield running


@pytest.fixture(scope="session")
def config(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return instance.trust_config(tmp_path_factory.mktemp("sigstore") / "config.json")


@pytest.fixture(scope="session")
def vouched(
    signed: Path, config: Path, instance: Instance, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A result that Alice has signed as well; never to be changed."""
    folder, before = tmp_path_factory.mktemp("vouched"), len(instance.posted)
    result = copy_of(signed, folder)
    done = publish(result, config, folder / "alice")
    assert done.returncode == 0, done.stderr
    assert f"publishing in Sigstore's log: {ALICE}, issuer {ISSUER}" in done.stderr
    posted = [path for path, _ in instance.posted[before:]]
    assert posted == ["/api/v2/signingCert", "/api/v1/log/entries"]
    sign(result, key=KEY)  # the tests' key instead of Alice's: the same statement
    return result
