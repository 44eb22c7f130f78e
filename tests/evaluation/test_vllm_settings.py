"""How an engine is opened: what the manifest says, what the device has, what the result says."""

import os
import sys
import time
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from kit.console import waiting
from kit.errors import EnvironmentFault
from kit.evaluation.engines import vllm_settings
from kit.evaluation.engines.vllm_settings import (
    engine_arguments,
    open_engine,
    room_to_leave,
    set_environment,
    utilization,
)
from tests.evaluation.test_engines import smoke

GIB = 1 << 30


@pytest.fixture(autouse=True)
def own_environment():
    """The variables that are set here must not reach other tests: one turns the hub off."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def card(monkeypatch):
    """A GPU of 80 GiB, of which 60 are free."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (60 * GIB, 80 * GIB))
    return monkeypatch


@pytest.mark.parametrize(
    ("free", "share"), [(80 * GIB, 0.9), (79 * GIB, 0.9), (60 * GIB, 0.71), (8 * GIB, 0.1)]
)
def test_an_engine_plans_with_what_is_free_and_never_with_more_than_vllm_would(free, share):
    assert utilization(free, 80 * GIB) == pytest.approx(share, abs=0.005)


def test_on_a_gpu_graphs_are_captured_and_memory_is_what_is_free(card, tmp_path):
    chosen = engine_arguments(smoke(), tmp_path, [32, 48])
    assert chosen["enforce_eager"] is False
    assert chosen["gpu_memory_utilization"] == 0.71
    assert (chosen["max_loras"], chosen["max_lora_rank"]) == (2, 64)


def test_an_engine_is_spread_over_as_many_gpus_as_the_manifest_says(card, tmp_path):
    spread = engine_arguments(smoke(tensor_parallel_size=2), tmp_path, [32])
    assert spread.pop("tensor_parallel_size") == 2
    assert spread == engine_arguments(smoke(), tmp_path, [32])


def test_no_kernel_is_downloaded_while_an_engine_runs(card, tmp_path):
    """vLLM itself is asked: with our arguments it does not even look whether it could."""
    from vllm.config import VllmConfig, set_current_vllm_config
    from vllm.engine.arg_utils import EngineArgs
    from vllm.utils import flashinfer

    def download(*_, **__):
        raise AssertionError("it looks for kernels on a server")

    card.setattr(flashinfer, "has_nvidia_artifactory", download)
    chosen = engine_arguments(smoke(), tmp_path, [])
    attention = EngineArgs(attention_config=chosen["attention_config"]).attention_config
    with set_current_vllm_config(VllmConfig(attention_config=attention)):
        assert not flashinfer.can_use_trtllm_attention(32, 32, is_prefill=True)
    with (
        set_current_vllm_config(VllmConfig()),
        pytest.raises(AssertionError, match="on a server"),
    ):
        flashinfer.can_use_trtllm_attention(32, 32, is_prefill=True)


def test_without_adapters_in_one_batch_no_room_is_kept_for_them(tmp_path):
    chosen = engine_arguments(smoke(), tmp_path, [])
    assert not [name for name in chosen if "lora" in name]
    assert "gpu_memory_utilization" not in chosen


@pytest.mark.parametrize(("wanted", "value"), [(True, "1"), (False, "0")])
def test_batch_invariance_is_the_manifest_s_to_decide(card, wanted, value):
    card.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    card.setenv("VLLM_BATCH_INVARIANT", "1")
    set_environment(smoke(batch_invariant=wanted))
    assert os.environ["VLLM_BATCH_INVARIANT"] == value


@pytest.mark.parametrize(("serving", "value"), [("adapters", "1"), ("merged", "0")])
def test_on_a_card_the_engine_s_core_has_a_process_unless_weights_are_handed_over(
    card, serving, value
):
    card.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    card.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "7")
    set_environment(smoke(serving=serving))
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == value
    card.setattr(torch.cuda, "is_available", lambda: False)
    set_environment(smoke(serving=serving))
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0", "on a CPU it would take a core"


def test_greedy_decoding_compiles_no_sampler(card):
    card.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    card.setenv("VLLM_USE_FLASHINFER_SAMPLER", "1")
    set_environment(smoke())
    assert os.environ["VLLM_USE_FLASHINFER_SAMPLER"] == "0"


def sized(folder, size):
    """Write an empty weight file of so many bytes; it takes no room on the disk."""
    with (folder / "model.safetensors").open("wb") as stream:
        stream.truncate(size)
    return folder


@pytest.mark.parametrize(
    ("card_gib", "together"), [(24, False), (40, True), (80, True)], ids=["24", "40", "80"]
)
def test_beside_an_engine_of_llava_the_second_look_fits_into_40_gb_and_not_into_24(
    card, tmp_path, card_gib, together
):
    """14.1 GB served, 8.3 for the 4-bit base, 6 for the engine's work: 28.5 GB."""
    card.setattr(torch.cuda, "mem_get_info", lambda: (card_gib * GIB, card_gib * GIB))
    room = room_to_leave(sized(tmp_path, 14_100_000_000), "nf4")
    assert (room is not None) == together
    if room is not None:
        assert room == pytest.approx(8.3e9, rel=0.01)
        left = engine_arguments(smoke(), tmp_path, [], room)["gpu_memory_utilization"]
        assert left * card_gib * GIB <= card_gib * GIB - room


@pytest.mark.parametrize(("card_gib", "together"), [(24, False), (32, False), (40, True)])
def test_a_second_look_at_a_base_in_full_needs_its_weights_once_more(
    card, tmp_path, card_gib, together
):
    """14.1 GB served, 14.1 + 2 for the second base, 6 for the engine's work: 36.2 GB, 34 GiB."""
    card.setattr(torch.cuda, "mem_get_info", lambda: (card_gib * GIB, card_gib * GIB))
    room = room_to_leave(sized(tmp_path, 14_100_000_000), "none")
    assert room == (16_100_000_000 if together else None)
    assert room_to_leave(tmp_path, "none", 30_000_000_000) is None, "two full updates beside it"


def test_an_engine_that_starts_for_long_says_so(monkeypatch, tmp_path, capfd):
    def slow(**_):
        time.sleep(0.3)

    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(LLM=slow))
    monkeypatch.setattr(vllm_settings, "waiting", partial(waiting, every_seconds=0.1))
    open_engine(engine_arguments(smoke(), tmp_path, []))
    assert "the engine is starting" in capfd.readouterr().err


def test_a_card_that_cannot_be_batch_invariant_is_named(card):
    card.setenv("VLLM_BATCH_INVARIANT", "0")
    card.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    with pytest.raises(EnvironmentFault, match="batch_invariant") as caught:
        set_environment(smoke(batch_invariant=True))
    assert caught.value.found == "7.5"
    card.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentFault) as caught:
        set_environment(smoke(batch_invariant=True))
    assert caught.value.found == "no GPU"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("No available memory for the cache blocks."), EnvironmentFault),
        (ValueError("Unknown architecture"), ValueError),
    ],
)
def test_an_engine_that_does_not_fit_says_what_to_lower(monkeypatch, tmp_path, error, fault):
    def full(**_):
        raise error

    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(LLM=full))
    monkeypatch.setattr("kit.evaluation.engines.vllm_settings.gpus", lambda: [])
    with pytest.raises(fault) as caught:
        open_engine(engine_arguments(smoke(), tmp_path, [8]))
    if fault is EnvironmentFault:
        assert "128 sequences" in caught.value.expected
        assert "max_model_len" in caught.value.remedy
        assert "GPU" not in caught.value.what + caught.value.remedy, "there is none here"
