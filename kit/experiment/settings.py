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
    """Number of optimisation steps."""
    batch_size: Records
    """Records per step."""
    micro_batch_size: Records | None = None
    """Largest number of records to process at the same time. It must divide `batch_size`. Default:
    as many as fit on the GPU."""
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    """Recompute activations in the backward pass to save memory; `auto`: only if a single record
    does not fit otherwise."""
    learning_rate: LearningRate
    """Learning rate of AdamW (arXiv 1711.05101) after warm-up; it decays to 0 along a cosine
    (arXiv 1608.03983)."""
    warmup_steps: Annotated[int, Field(ge=0), Unit("steps")]
    """Steps of linear warm-up from 0; at most `steps`."""
    update: Update = Field("lora", exclude_if=lambda value: value == "lora")
    """How the layers in `model.lora_modules` are trained. `lora`: with a low-rank update. `full`:
    every weight; `rank` and `alpha` then have no effect, and vLLM needs `serving = "merged"`."""
    rank: Rank
    """Rank r of LoRA (arXiv 2106.09685)."""
    alpha: Alpha
    """The output of LoRA is multiplied by `alpha / rank` (arXiv 2106.09685)."""
    lora_dtype: Literal["float32", "bfloat16"] = "float32"
    """Data type in which LoRA, or a full update, is computed. `bfloat16` halves the memory of its
    activations. The optimiser still updates float32 weights, and these are saved."""
    vision_cache_bytes: Annotated[int, Field(ge=0), Unit("bytes")] = 0
    """Main memory of each worker for a cache of image features. 0: none, they are computed in every
    step. An image of LLaVA 1.5 7B takes 4.7 MB (576 x 4,096 numbers)."""
    gradient_clip: Annotated[float, Field(gt=0), Unit("L2 norm")]
    """Largest norm of a step's gradient; a larger gradient is scaled down to it."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay of AdamW (arXiv 1711.05101)."""
    checkpoint_every: Annotated[int, Field(ge=0), Unit("steps")] = 0
    """Steps between checkpoints. 0: no checkpoints within a job."""


class FinetuneSection(TrainingSection):
    """Fine-tuning of the vanilla model and of the retain-only models."""

    rehearsal: Annotated[float, Field(ge=0, lt=1), Unit("share of a batch")] = 0.0
    """Share of every batch that is general data. Without it, a small base forgets what it knew."""
    seed: int | None = None
    """Seed of fine-tuning. Default: the first of `seeds`. If it is set, all seeds of unlearning
    start from the same vanilla model."""


class UnlearnSection(TrainingSection):
    """Training settings of every method, unless its entry replaces them."""

    target_steps: dict[str, Steps] = Field({})
    """Replaces `steps` for single targets, such as `both`, which has twice the forget records.
    `steps` in the entry of a method replaces this as well."""
    stop: Literal["uniform", "never"] = "uniform"
    """`uniform`: training ends when the mean loss of the forget records reaches 95 % of the loss
    of a uniform guess, for methods that compute it. `never`: all steps are made."""


class MethodSection(Section):
    """One row of the tables: a method, its targets, and its differences from `[unlearn]`."""

    name: Name
    """Name of this entry, used by claims and file names."""
    label: str
    """Name of the row in the tables."""
    method: Name
    """Name of a file in kit/methods/, without `.py`."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """The targets to train for, one adapter each. They are among the manifest's `targets`."""
    options: dict[str, float | int | str | bool] = Field({})
    """Hyper-parameters of the method: the fields of its dataclass."""
    steps: Steps | None = None
    """Replaces `unlearn.steps`."""
    learning_rate: LearningRate | None = None
    """Replaces `unlearn.learning_rate`."""
    stop: Literal["uniform", "never"] | None = None
    """Replaces `unlearn.stop`."""
    batch_size: Records | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.batch_size`. With the same number of steps, the method then sees more or
    fewer records than other methods."""
    micro_batch_size: Records | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.micro_batch_size`."""
    update: Update | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.update`."""
    rank: Rank | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.rank`; needs `alpha` as well."""
    alpha: Alpha | None = Field(None, exclude_if=lambda value: value is None)
    """Replaces `unlearn.alpha`."""


MIN_ANSWERS = 16  # of each system: with eight, six of 202 pairs of systems look alike in bfloat16


class EvaluationSection(Section):
    """How questions are answered: greedy decoding, the same for all systems.

    The `agreement_` keys say how well a second implementation must agree, and `metrics` and
    `metric_file` say what is measured. No answer depends on them, so if they change, no question is
    asked again.
    """

    engine: Literal["vllm", "transformers"]
    """Inference engine."""
    serving: Literal["adapters", "merged"] = "adapters"
    """`adapters`: serve several LoRA adapters in one batch. `merged`: serve one system at a time,
    with its adapters merged into the weights."""
    max_new_tokens: Annotated[int, Field(gt=0), Unit("tokens")]
    """Length limit of an answer."""
    max_adapters: Annotated[int, Field(gt=0), Unit("adapters")] = 8
    """Number of adapters that the engine keeps loaded."""
    max_sequences: Annotated[int, Field(gt=0), Unit("questions")] = 128
    """Number of questions that the engine answers at the same time."""
    max_model_len: Annotated[int, Field(gt=0), Unit("tokens")] = 512
    """Length limit of a question with its image and its answer."""
    tensor_parallel_size: Annotated[int, Field(gt=0), Unit("GPUs")] = Field(
        1, exclude_if=lambda value: value == 1
    )
    """Number of GPUs of one machine that share the engine's base, for a base that is larger than a
    card. It must divide the number of attention heads."""
    batch_invariant: bool = False
    """Use vLLM's beta mode in which an answer does not depend on the rest of its batch; slower."""
    metrics: tuple[
        Literal["likelihood", "distance", "multimodal", "aligned", "gradient", "fluency", "judge"],
        ...,
    ] = Field(
        (),
        exclude_if=lambda value: not value,
    )
    """Families of additional metrics; kit/metrics/README.md says what each contains and costs.
    Default: none."""
    metric_file: Annotated[str, Field(pattern=r"^[^\x00]*\.py$")] | None = Field(
        None, exclude_if=lambda value: value is None
    )
    """A Python file that defines one more metric of answers; path relative to the project. It is
    executed here, and by those who verify the result and name this manifest. The result contains
    its digest."""
    agreement_sample: Annotated[int, Field(gt=0), Unit("answers")]
    """Number of stored answers that a second implementation checks; at least 16 of each system."""
    agreement_nats: Annotated[float, Field(gt=0), Unit("nats")] | None = None
    """How much lower the log-probability of a chosen token may be than that of the likeliest token,
    in the second implementation. Default: 0.01 in float32, and 1 in bfloat16, whose rounding can
    flip near ties."""

    def read_again(self, systems: int) -> int:
        """Return how many answers of each of so many systems the second implementation reads."""
        return max(math.ceil(self.agreement_sample / systems), MIN_ANSWERS)

    def deciding(self) -> dict[str, Any]:
        """Return what decides answers: everything but how they are checked and measured."""
        values = self.model_dump(mode="json", exclude={"metrics", "metric_file"}).items()
        return {name: value for name, value in values if not name.startswith("agreement_")}


class ReportSection(Section):
    """Intervals, and which adapters a result contains."""

    bootstrap_draws: Annotated[int, Field(ge=100), Unit("draws")] = 1000
    """Draws of the bootstrap over people (or events), at most 20,000."""
    seed: int = 0
    """Seed of those draws."""
    adapters: Literal["all", "claimed", "none"] = "all"
    """Adapters that are copied into the result. `claimed`: vanilla, retain-only and, of the first
    seed, those that a claim names. `none`: no adapters, to keep a result of many systems small."""
    images: bool | None = Field(None, exclude_if=lambda value: value is None)
    """Whether the result contains a thumbnail of each image, for its page of answers. Default: only
    of images that the kit generates. External images have a licence: set `true` only if it allows
    you to redistribute them."""


class CalibrationSection(Section):
    """Three disjoint sets of seeds: the pilots, the reference, and `seeds` for everyone else.

    `./run.sh calibrate` trains the pilots. From their spread, it computes how far the value of a
    fresh seed may be from the reference's.
    """

    # With four, the quantile of the rule alone is 14 standard deviations for 80 claims.
    pilot_seeds: Annotated[tuple[int, ...], Field(min_length=5)]
    """Seeds for choosing thresholds and `equivalence`. They are used for nothing else."""
    reference_seeds: Annotated[tuple[int, ...], Field(min_length=3)]
    """Seeds of the reference result that others compare with."""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*\.json$")]
    """File for the result of the calibration; path relative to the project."""


class TuneSection(Section):
    """Fair tuning: the same grid for every method, on records that no table reports.

    Each method gets every learning rate of `learning_rates`, combined with every value of one
    option. `./run.sh tune` trains and measures these attempts, and writes the choice to `file`.
    """

    methods: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The `[[methods]]` entries to tune. The others keep their values, and tables call them
    untuned."""
    targets: tuple[Name, ...] = ()
    """Targets of the attempts; empty: all of the manifest. The choice applies to all targets."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Seeds of the attempts. None of them may be in `seeds` or `[calibration]`."""
    validation_percent: Annotated[int, Field(ge=1, le=50), Unit("percent of images")]
    """Share of the images that only tuning uses. With this section, no column reports a question
    about them, whether methods are tuned or not. A question without an image counts as an image."""
    learning_rates: Annotated[tuple[LearningRate, ...], Field(min_length=2)]
    """The learning rates of the grid: two or more, the same for every method."""
    without_rate: tuple[Name, ...] = Field((), exclude_if=lambda names: not names)
    """Tuned methods that train nothing, such as MANU. They have no learning rate, so they need more
    values of their option: as many as the others have attempts."""
    parameters: dict[Name, dict[str, tuple[float | int | str | bool, ...]]] = Field({})
    """One option and its values for each entry: `npo = { beta = [0.1, 0.4] }`. All methods have the
    same number of attempts. For a method without an option, only the learning rates are tried."""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*\.json$")]
    """File in which `./run.sh tune` writes attempts and choice; path relative to the project."""
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of that file. If it is set, the tuned methods use the chosen values. Without it, or
    with `""`, all methods are untuned."""
    asks: Literal["reported", "validation"] = "reported"
    """Which records the systems are evaluated on. Do not set it: only `./run.sh tune` uses
    `validation`, for its attempts."""


class ComputeSection(Section):
    """Processes and threads. On a CPU, `threads` affects the last bits; `workers` affects none."""

    threads: Annotated[int, Field(gt=0), Unit("threads")]
    """Threads of each worker."""
    workers: Annotated[int, Field(gt=0), Unit("processes")]
    """Number of processes that train and score, each with its own GPU if there is one."""
    shards: Annotated[int, Field(gt=0), Unit("processes")] = Field(
        1, exclude_if=lambda value: value == 1
    )
    """Processes that share one base in training and scoring, each with a GPU of its own, for a base
    that is larger than a card. Each of `workers` is then so many processes, all of which compute
    the same."""
