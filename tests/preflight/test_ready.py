"""Preflight as a whole: once for each digest, at the start of fine-tuning, and in the doctor."""

import json
import shutil

import pytest
from PIL import Image

from kit.digests import format_checksums, sha256_file
from kit.doctor import examine
from kit.doctor.inputs import examine_base, examine_records
from kit.errors import DataError, ManifestError, ModelError, StorageError
from kit.plan.jobs import make_plan
from kit.preflight import ready
from kit.stages import run as stages
from kit.stages.work import LOCAL
from tests.toys.dataset import manifest, write_dataset


class Experiment:
    """The toy data with real pictures and a copy of the tiny base; a test may damage both."""

    def __init__(self, root, tiny_base):
        self.root, self.data, self.base = root, write_dataset(root / "data"), root / "base"
        for path in [*self.data.rglob("*.png"), *self.data.rglob("*.jpg")]:
            Image.new("RGB", (64, 64)).save(path)
        shutil.copytree(tiny_base, self.base)

    def manifest(self, **evaluation):
        """Return a manifest whose lists name the files as they are now."""
        made = manifest(
            finetune={"rehearsal": 0.0}, evaluation={"agreement_sample": 60, **evaluation}
        )
        data = self._listed(made.sources[0], self.data)
        base = self._listed(made.model.source, self.base)
        model = made.model.model_copy(update={"source": base})
        return made.model_copy(update={"sources": (data,), "model": model})

    def _listed(self, source, folder):
        files = [path for path in folder.rglob("*") if path.is_file()]
        digests = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
        listed = self.root / f"{folder.name}.sha256"
        listed.write_text(format_checksums(digests), encoding="utf-8")
        changes = {"folder": str(folder), "embedded": None, "checksums": str(listed)}
        return source.model_copy(update=changes)

    def config(self, **changes):
        """Change values of the base's config.json."""
        path = self.base / "config.json"
        content = json.loads(path.read_text(encoding="utf-8")) | changes
        path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def experiment(tiny_base, tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    return Experiment(tmp_path, tiny_base)


def test_what_is_found_is_said_and_found_once(experiment, monkeypatch):
    plan = make_plan(experiment.manifest())
    lines = ready.require_ready(plan)
    assert [line.partition(":")[0] for line in lines] == [
        "weight files", "model", "processor", "weights", "records",
    ]  # fmt: skip
    assert "14 LoRA modules, 14 quantised" in lines[1]
    assert "values are finite" in lines[3]
    for name in ("_examine", "_measure", "require_finite"):
        monkeypatch.setattr(ready, name, lambda given: pytest.fail("examined again"))
    assert ready.require_ready(plan) == lines
    assert ready.known_records(plan.manifest).limit == 512
    path = ready.base_path(plan.manifest)
    whole = json.loads(path.read_text(encoding="utf-8"))
    none = {**whole["facts"]["sizes"], "layers": 0}  # estimates divide by it
    for wrong in (
        {"positions": "512"},
        {"facts": {**whole["facts"], "sizes": 3}},
        {"facts": {**whole["facts"], "sizes": none}},
        {"facts": []},
    ):
        path.write_text(json.dumps({**whole, **wrong}), encoding="utf-8")
        with pytest.raises(StorageError, match=f"{path.name} is damaged"):
            ready.require_base(plan.manifest)


def test_other_bytes_another_limit_and_another_instruction_are_examined_again(experiment):
    first = experiment.manifest()
    paths = {ready.base_path(first), ready.records_path(first)}
    assert ready.base_path(experiment.manifest(max_model_len=400)) in paths
    assert ready.records_path(experiment.manifest(max_model_len=400)) not in paths
    entry = first.methods[0].model_copy(update={"options": {"instruction": "Say no."}})
    assert ready.records_path(first.model_copy(update={"methods": (entry,)})) not in paths
    experiment.config(note="changed")
    assert ready.base_path(experiment.manifest()) not in paths


def mllama(experiment):
    experiment.config(model_type="mllama")


def pointer(experiment):
    (experiment.base / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", encoding="utf-8"
    )


def cut_off(experiment):
    path = experiment.base / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def without_template(experiment):
    (experiment.base / "chat_template.jinja").unlink()


def without_patch_size(experiment):
    path = experiment.base / "processor_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "patch_size": None}), encoding="utf-8")


def unreadable_generation(experiment):
    (experiment.base / "generation_config.json").write_text("{", encoding="utf-8")


def another_size(experiment):
    Image.new("RGB", (60, 40)).save(next(experiment.data.rglob("*.png")))


def one_pixel(experiment):
    Image.new("RGB", (1, 1)).save(next(experiment.data.rglob("*.png")))


def two_hundred_megapixels(experiment):
    Image.new("1", (20_000, 10_000)).save(next(experiment.data.rglob("*.png")))


DAMAGES = [
    (mllama, ModelError, "does not support models of the family mllama"),
    (pointer, ModelError, "is a git-lfs pointer"),
    (cut_off, ModelError, "is cut off"),
    (without_template, ModelError, "chat template gives no prompt"),
    (without_patch_size, ModelError, "patch size"),
    (unreadable_generation, ModelError, "generation_config.json cannot be used"),
    (another_size, DataError, "vision tower cannot take the image"),
    (one_pixel, DataError, "too small to show anything"),
    (two_hundred_megapixels, DataError, "200,000,000 pixels"),
]


@pytest.mark.parametrize(("damage", "kind", "said"), DAMAGES)
def test_a_base_or_picture_that_cannot_be_used_ends_everything_before_training(
    experiment, damage, kind, said
):
    damage(experiment)
    with pytest.raises(kind, match=said) as caught:
        ready.require_ready(make_plan(experiment.manifest()))
    assert caught.value.remedy
    assert not list((experiment.root / "cache" / "artifacts").glob("finetune-*"))


def test_an_engine_that_does_not_serve_the_base_is_refused_before_training(experiment, monkeypatch):
    monkeypatch.setattr(ready, "gpus", list)
    experiment.config(model_type="gemma3", text_config=None, vision_config=None)
    with pytest.raises(ModelError, match="does not serve Gemma 3 on a CPU"):
        ready.require_base(experiment.manifest(engine="vllm"))


def test_an_engine_is_spread_over_a_divisor_of_the_attention_heads(experiment):
    """The tiny base has four."""
    spread = {"engine": "vllm", "serving": "adapters"}
    ready.require_base(experiment.manifest(tensor_parallel_size=2, **spread))
    with pytest.raises(ManifestError, match="does not divide the base's attention heads") as caught:
        ready.require_base(experiment.manifest(tensor_parallel_size=3, **spread))
    assert caught.value.found == 3
    assert "tensor_parallel_size = 2" in caught.value.remedy


def test_a_context_that_no_record_fits_into_or_no_base_has_is_refused(experiment):
    with pytest.raises(ManifestError, match="longer than the context") as caught:
        ready.require_ready(make_plan(experiment.manifest(max_model_len=20)))
    needed = int(caught.value.remedy.rpartition("= ")[2])
    ready.require_ready(make_plan(experiment.manifest(max_model_len=needed)))
    with pytest.raises(ManifestError, match="more than the base was made for"):
        ready.require_ready(make_plan(experiment.manifest(max_model_len=9999)))


def test_fine_tuning_of_an_unusable_base_trains_nothing(experiment):
    """In the real worker process: the error arrives as it was raised."""
    pointer(experiment)

    class Untrained(type(LOCAL)):
        def train(self, manifest, jobs):
            pytest.fail("training began")

    with pytest.raises(ModelError, match="git-lfs pointer"):
        stages.finetune(make_plan(experiment.manifest()), Untrained())


def test_the_doctor_prints_counts_and_lengths_or_the_first_fault(experiment, monkeypatch):
    found = report(experiment, monkeypatch)
    assert "14 LoRA modules, 14 quantised" in found["model"].found
    assert "228 records, at most 87 of 512 tokens" in found["records"].found
    cut_off(experiment)
    broken = report(experiment, monkeypatch)["inputs"]
    assert (broken.failed, broken.exit_code) == (True, 6)
    assert "is cut off" in broken.found
    assert "bytes" in broken.found
    assert "./run.sh fetch" in broken.remedy


def report(experiment, monkeypatch):
    monkeypatch.setattr(
        "kit.experiment.manifest_file.load_manifest", lambda path, changes: experiment.manifest()
    )
    return {check.name: check for check in examine(experiment.root / "mine.toml")}


def test_a_base_in_32_bits_is_used_and_named_where_it_is_computed_in_16(experiment):
    made = experiment.manifest()
    assert "twice the disk" not in examine_base(made)[0].found
    halved = made.model.model_copy(update={"compute_dtype": "bfloat16"})
    (weights, *_) = examine_base(made.model_copy(update={"model": halved}))
    assert "twice the disk of 16 bits" in weights.found
    assert not weights.failed


def test_data_that_was_not_fetched_is_no_fault_of_the_records(experiment):
    made = experiment.manifest()
    shutil.rmtree(experiment.data)
    assert "not fetched yet" in examine_records(make_plan(made)).found


def test_an_engine_that_does_not_serve_the_family_is_refused_before_training(experiment):
    """vLLM has no LoRA for LLaVA-OneVision. The check comes before the model is built."""
    experiment.config(
        model_type="llava_onevision", vision_config={"model_type": "siglip_vision_model"}
    )
    with pytest.raises(ModelError, match="serves no LoRA adapters on LLaVA-OneVision") as caught:
        ready.require_base(experiment.manifest(engine="vllm", serving="adapters"))
    assert 'evaluation.engine = "transformers"' in caught.value.remedy
