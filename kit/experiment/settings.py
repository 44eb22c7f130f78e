"""The sections about what is done: training, methods, evaluation, report and processes."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from kit.experiment.section import Alpha, LearningRate, Name, Rank, Records, Section, Steps, Unit
from kit.experiment.updates import Update

# Families of further metrics, as `evaluation.metrics` names them.
LIKELIHOOD, DISTANCE, MULTIMODAL, ALIGNED = "likelihood", "distance", "multimodal", "aligned"
GRADIENT, FLUENCY = "gradient", "fluency"


class TrainingSection(Section):
    """One optimisation of an adapter: AdamW, linear warm-up, cosine decay, gradient clipping."""

    steps: Steps
    """Length of the training."""
    batch_size: Records
    """How many records each step learns from."""
    micro_batch_size: Records | None = None
    """How many records are computed at the same time, at most. It must divide `batch_size`.
    Without it, as many as the GPU has room for."""
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    """Compute activations a second time to save memory; `auto`: only where one record does not
    fit otherwise."""
    learning_rate: LearningRate
    """Learning rate of AdamW (arXiv 1711.05101) after warm-up; it decays to 0 along a cosine
    (arXiv 1608.03983)."""
    warmup_steps: Annotated[int, Field(ge=0), Unit("steps")]
    """Steps of linear warm-up from 0."""
    update: Update = Field("lora", exclude_if=lambda value: value == "lora")
    """What is trained of the layers in `model.lora_modules`. `lora`: an update of low rank. `full`:
    every weight; `rank` and `alpha` then decide nothing, and vLLM needs `serving = "merged"`."""
    rank: Rank
    """Rank r of LoRA (arXiv 2106.09685)."""
    alpha: Alpha
    """The output of LoRA is multiplied by `alpha / rank` (arXiv 2106.09685)."""
    lora_dtype: Literal["float32", "bfloat16"] = "float32"
    """Type that LoRA, or a full update, computes in. `bfloat16`: its activations take half of the
    memory. The optimiser updates float32 weights all the same, and those are saved."""
    vision_cache_bytes: Annotated[int, Field(ge=0), Unit("bytes")] = 0
    """Main memory of each worker for image features, which are then computed once for each image
    and not in every step. 0: none. An image of LLaVA 1.5 7B takes 4.7 MB (576 x 4,096 numbers)."""
    gradient_clip: Annotated[float, Field(gt=0), Unit("L2 norm")]
    """Largest norm of a step's gradient; a longer one is scaled down to it."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay of AdamW (arXiv 1711.05101)."""
    checkpoint_every: Annotated[int, Field(ge=0), Unit("steps")] = 0
    """Steps between checkpoints to resume from. 0: none within a job."""


class FinetuneSection(TrainingSection):
    """Fine-tuning of the vanilla model and of the retain-only models."""

    rehearsal: Annotated[float, Field(ge=0, lt=1), Unit("share of a batch")] = 0.0
    """How much of every batch is general data. A small base forgets what it knew without it."""
    seed: int | None = None
    """Seed of fine-tuning; without it, the first of `seeds`. With it, other seeds of unlearning
    start from the same vanilla model."""


class UnlearnSection(TrainingSection):
    """What every method trains with, unless its entry says otherwise."""

    target_steps: dict[str, Steps] = Field({})
    """Replaces `steps` for some targets, such as `both`, which has twice the forget records. An
    entry's own `steps` replace this as well."""
    stop: Literal["uniform", "never"] = "uniform"
    """`uniform`: training ends when the mean loss of the forget records reaches 95 % of a uniform
    guess's, with methods that compute it. `never`: all steps are made."""


class MethodSection(Section):
    """One row of the tables: a method, its targets, and what differs from `[unlearn]`."""

    name: Name
    """Name of this entry. Claims and file names use it."""
    label: str
    """What the tables print."""
    method: Name
    """Name of a file in kit/methods/, without `.py`."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Which of the manifest's `targets` it is trained for, one adapter each."""
    options: dict[str, float | int | str | bool] = Field({})
    """Hyper-parameters of the method: the fields of its dataclass."""
    steps: Steps | None = None
    """Replaces `unlearn.steps`."""
    learning_rate: LearningRate | None = None
    """Replaces `unlearn.learning_rate`."""
    stop: Literal["uniform", "never"] | None = None
    """Replaces `unlearn.stop`."""
    batch_size: Records | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.batch_size`. As many steps then see more or fewer records than those of
    other methods."""
    micro_batch_size: Records | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.micro_batch_size`."""
    update: Update | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.update`."""
    rank: Rank | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.rank`; `alpha` must stand beside it."""
    alpha: Alpha | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.alpha`."""


MIN_ANSWERS = 16  # of each system: with eight, six of 202 pairs of systems look alike in bfloat16


class EvaluationSection(Section):
    """How all systems are asked: greedy decoding, the same for each.

    The `agreement_` keys say how well a second implementation must agree, and `metrics` and
    `metric_file` say what is measured. They decide no answer, so a change of them asks no question
    again.
    """

    engine: Literal["vllm", "transformers"]
    """Engine that answers."""
    serving: Literal["adapters", "merged"] = "adapters"
    """`adapters`: several LoRA adapters in one batch. `merged`: one system at a time, with its
    adapters merged into the weights."""
    max_new_tokens: Annotated[int, Field(gt=0), Unit("tokens")]
    """Longest answer."""
    max_adapters: Annotated[int, Field(gt=0), Unit("adapters")] = 8
    """How many adapters the engine holds at the same time."""
    max_sequences: Annotated[int, Field(gt=0), Unit("questions")] = 128
    """How many questions the engine answers at the same time."""
    max_model_len: Annotated[int, Field(gt=0), Unit("tokens")] = 512
    """Longest question with its image and its answer."""
    tensor_parallel_size: Annotated[int, Field(gt=0), Unit("GPUs")] = Field(
        1, exclude_if=lambda value: value == 1
    )
    """GPUs of one machine that share the engine's copy of the base, for one that is larger than a
    card. It divides the base's attention heads."""
    batch_invariant: bool = False
    """Use vLLM's beta mode in which an answer does not depend on the rest of its batch; slower."""
    metrics: tuple[
        Literal["likelihood", "distance", "multimodal", "aligned", "gradient", "fluency", "judge"],
        ...,
    ] = Field(
        (),
        exclude_if=lambda value: not value,
    )
    """Families of further metrics, beside those of the tables; kit/metrics/README.md says what each
    holds and costs. Without it: none."""
    metric_file: Annotated[str, Field(pattern=r"^[^\x00]*\.py$")] | None = Field(
        None, exclude_if=lambda value: value is None
    )
    """A Python file with one more metric of answers, relative to the project. It is run, here and
    by whoever verifies the result and has the file; its digest goes into the result."""
    agreement_sample: Annotated[int, Field(gt=0), Unit("answers")]
    """How many stored answers a second implementation reads; at least 16 of each system."""
    agreement_nats: Annotated[float, Field(gt=0), Unit("nats")] | None = None
    """How much less likely than the likeliest token a chosen one may be in the second
    implementation. Without it: 0.01 in float32 and 1 in bfloat16, whose rounding can flip near
    ties."""

    def read_again(self, systems: int) -> int:
        """Return how many answers of each of so many systems the second implementation reads."""
        return max(math.ceil(self.agreement_sample / systems), MIN_ANSWERS)

    def deciding(self) -> dict[str, Any]:
        """Return what decides answers: everything but how they are checked and measured."""
        values = self.model_dump(mode="json", exclude={"metrics", "metric_file"}).items()
        return {name: value for name, value in values if not name.startswith("agreement_")}


class ReportSection(Section):
    """Intervals, and which adapters a result holds."""

    bootstrap_draws: Annotated[int, Field(ge=100), Unit("draws")] = 1000
    """Draws of the bootstrap over people (or events), at most 20,000."""
    seed: int = 0
    """Seed of those draws."""
    adapters: Literal["all", "claimed", "none"] = "all"
    """Adapters that are copied into the result. `claimed`: vanilla, retain-only and, of the first
    seed, those that a claim names. `none` for a result of many systems that is to stay small."""
    images: bool | None = Field(None, exclude_if=lambda value: value is None)
    """Whether the result holds a thumbnail of each image that it asks about, for its page of
    answers. Without it, it holds those of the images that the kit draws. Images from outside have
    a licence: `true` says that you may pass them on."""


class CalibrationSection(Section):
    """Three disjoint sets of seeds: pilots, the reference, and those of whoever runs it again.

    `./run.sh calibrate` trains the pilots and writes from their spread how far the value of a fresh
    seed may be from the reference's.
    """

    # With four, the quantile of the rule alone is 14 standard deviations for 80 claims.
    pilot_seeds: Annotated[tuple[int, ...], Field(min_length=5)]
    """Seeds that thresholds and `equivalence` are set with. They test nothing afterwards."""
    reference_seeds: Annotated[tuple[int, ...], Field(min_length=3)]
    """Seeds of the reference that `compare` compares with."""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*\.json$")]
    """Where the result of the calibration is written, relative to the project."""


class TuneSection(Section):
    """Fair tuning: the same grid for every method, on records that no table reports.

    Each method gets every learning rate of `learning_rates`, combined with every value of one
    option. `./run.sh tune` trains and measures these attempts, and writes the choice to `file`.
    """

    methods: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Which `[[methods]]` entries are tuned. The others keep their values, and tables call them
    untuned."""
    targets: tuple[Name, ...] = ()
    """Targets that the attempts forget; empty: all of the manifest. The choice holds for all."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Seeds of the attempts. They have none in common with `seeds` and `[calibration]`."""
    validation_percent: Annotated[int, Field(ge=1, le=50), Unit("percent of images")]
    """How many images are asked about for tuning alone. With this section, no column reports a
    question about them, tuned or not. A question without an image counts as an image."""
    learning_rates: Annotated[tuple[LearningRate, ...], Field(min_length=2)]
    """The learning rates of the grid: two or more, the same for every method."""
    without_rate: tuple[Name, ...] = Field((), exclude_if=lambda names: not names)
    """Tuned methods that train nothing, as MANU. They have no learning rate, and so more values of
    their option: as many attempts as the others."""
    parameters: dict[Name, dict[str, tuple[float | int | str | bool, ...]]] = Field({})
    """One option of a method and its values, by entry: `npo = { beta = [0.1, 0.4] }`. All have the
    same number of attempts. A method without one is tried with the learning rates alone."""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*\.json$")]
    """Where `./run.sh tune` writes the attempts and the choice, relative to the project."""
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of that file. With it, the tuned methods get what was chosen. Without it, or with
    `""`, all methods are untuned."""
    asks: Literal["reported", "validation"] = "reported"
    """Which records the systems are asked. No file may say `validation`: `./run.sh tune` alone sets
    it, for its attempts."""


class ComputeSection(Section):
    """Processes and threads. `threads` decides the last bits on a CPU, `workers` decide nothing."""

    threads: Annotated[int, Field(gt=0), Unit("threads")]
    """Threads of each worker."""
    workers: Annotated[int, Field(gt=0), Unit("processes")]
    """Processes that train and score at the same time, each with a GPU of its own where there is
    one."""
    shards: Annotated[int, Field(gt=0), Unit("processes")] = Field(
        1, exclude_if=lambda value: value == 1
    )
    """Processes that share one base in training and scoring, each with a GPU of its own, for a base
    that is larger than a card. Each of `workers` is then so many processes, all of which compute
    the same."""
