"""What a method may change, as its file declares it and as a verifier without torch knows it."""

import pytest

from kit.methods.registry import build, names
from kit.report.access import PROMPT, WEIGHTS, access_of


@pytest.mark.parametrize("name", names())
def test_a_report_names_the_access_that_the_method_declares(name):
    assert access_of(name) == build(name, {}).needs.access


def test_a_prompt_is_the_only_method_that_leaves_the_weights():
    assert [name for name in names() if access_of(name) != WEIGHTS] == ["prompt_only"]
    assert access_of("prompt_only") == PROMPT
