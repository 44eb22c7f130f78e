"""The facts in run.json about machine, packages and engine, with every key that the kit writes."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from kit.verification.fact import Count, Digest, Fact, Positive, Text

Share = Annotated[StrictInt | StrictFloat, Field(gt=0, le=1)]


class DeterminismFacts(Fact):
    """What `kit.model.determinism.state` notes; on a CPU, the first three alone."""

    device: Text | None = None
    threads: Positive | None = None
    shards: Positive | None = None
    deterministic_algorithms: StrictBool | None = None
    deterministic_backward: StrictBool | None = None
    nondeterministic_operations: list[Text] | None = None
    cudnn_benchmark: StrictBool | None = None
    float32_matmul_precision: Text | None = None
    cublas_workspace_config: Text | None = None


class EngineFacts(DeterminismFacts):
    """The engine that answered, as it describes itself; early results lack it."""

    engine: Text | None = None
    version: Text | None = None
    dtype: Text | None = None
    serving: Literal["adapters", "merged"] | None = None
    batch_invariant: StrictBool | None = None
    enforce_eager: StrictBool | None = None
    max_model_len: Positive | None = None
    max_num_seqs: Positive | None = None
    gpu_memory_utilization: Share | None = None
    tensor_parallel_size: Positive | None = None


class GpuFacts(Fact):
    """One card as the driver describes it."""

    name: Text
    driver: Text | None = None
    capability: Text | None = None
    memory: Count | None = None


class EnvironmentFacts(Fact):
    """Packages and machine; of a run in an image, also which image."""

    packages: dict[Text, Text]
    python: Text | None = None
    platform: Text | None = None
    cpu: Text | None = None
    torch_threads: Positive | None = None
    lock_digest: Digest | None = None
    gpus: list[GpuFacts] = Field([])
    image_target: Text | None = None
    image_base_image: Text | None = None
    image_revision: Text | None = None
    image_apt_snapshot: Text | None = None
    image_sbom_digest: StrictStr | None = None
