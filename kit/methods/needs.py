"""What a method can ask for. Preparing a need is in kit/training/preparation/<need>.py."""

from dataclasses import asdict, dataclass, fields, replace


@dataclass(frozen=True)
class Needs:
    """What every step of a method contains; the report prints it as the method's cost.

    A need is off at False. What is off prepares nothing and is not part of a job's digest, so a new
    need changes no job of a method that does not declare it.
    """

    forget: bool = True
    """Forget records with their answers: `step.forget`."""
    retain: bool = False
    """A retain record for each forget record: `step.retain`."""
    refusals: bool = False
    """The forget questions, answered by a refusal: `step.refusal`."""
    reference_scalars: bool = False
    """log pi_0(y) of forget answers, refusals and alternates; one pass for each, shared by jobs."""
    retain_only_scalars: bool = False
    """log-probabilities of the forget answers under Retain-only; the job waits for that model."""
    reference_distribution: bool = False
    """`step.reference`: one more forward pass without gradient for each batch that it reads."""
    concept_balance: bool = False
    """Equally many person and event records in every step, and `step.forget_is_person`; with
    `reference_scalars`, `step.forget_by_concept`."""
    single_image: bool = False
    """One image of each forgotten concept instead of all, and `step.concept_tokens`."""
    other_answers: bool = False
    """The forget questions, answered as for another, retained person (or event): `step.other`.
    Drawn for each record and epoch, whatever the micro-batch."""
    random_answers: bool = False
    """The forget questions with K answers of retain records to any question:
    `step.random_answers`. K is the method's option `answers`, 1 where it has none."""
    alternates: bool = False
    """The forget questions with other answers of the vanilla model's own: `step.alternate`. They
    are asked for once, before the first job that needs them, and shared by jobs."""
    subject_facts: bool = False
    """Another fact about each forget record's person or event, which is to be kept:
    `step.subject_fact`. Some targets of some benchmarks have none; `plan` says so."""
    text_view: bool = False
    """Forget records without their images: `step.text`; with `retain`, also `step.retain_text`;
    with `refusals`, also `step.refusal_text`."""
    hidden_states: bool = False
    """`step.hidden`, `step.reference_hidden` and `step.direction`: outputs of a decoder layer. The
    passes end at that layer."""
    arithmetic: bool = False
    """The adapter that is stored is computed from the trained one, by the method's own
    `after_training(weights)`: a function of the LoRA weights by name that keeps their form."""
    neurons: bool = False
    """The method's own `neurons(steps)` names neurons of the language model to remove, before the
    first step. An iteration over `steps` visits each forget record
    once. The result is not a LoRA adapter: vLLM serves it with
    `serving = "merged"`."""
    training_free: bool = False
    """No training step is made: the method only removes neurons."""
    merging: bool = False
    """Several adapters, which the method's own `adapters` names. Each is trained with the loss of
    its turn (`step.adapter`), and `merge(updates)` makes one update of each weight of theirs. The
    result is not a LoRA adapter: vLLM serves it with `serving = "merged"`."""
    whole_batch: bool = False
    """Every micro-batch is the whole batch: for losses that compare its records."""
    gradient_rule: bool = False
    """The gradient of each term of the loss over the whole batch: `combine` merges them into
    one."""
    measure: bool = False
    """Before the first step, `measure` for at most 256 forget records, one at a time, with its
    gradient: for saliency, Fisher information and losses at theta_0."""
    perturbation: bool = False
    """A second forward and backward pass in every step, where `perturb` has moved the weights."""
    training: bool = True
    """An adapter is trained; False for baselines that only change the prompt."""

    @property
    def access(self) -> str:
        """Return what the method may change: "weights", or "prompt" if it trains nothing."""
        return "weights" if self.training else "prompt"

    @property
    def lora(self) -> bool:
        """Whether what the method leaves is a LoRA adapter; else vLLM serves merged weights."""
        return not (self.neurons or self.merging)

    def declared(self) -> dict[str, object]:
        """Return the needs that are on."""
        return {name: value for name, value in asdict(self).items() if value}

    def source(self, *more: str) -> str:
        """Return the Python expression of these needs with `more` switched on."""
        wanted = replace(self, **dict.fromkeys(more, True))
        given = [
            f"{field.name}={getattr(wanted, field.name)}"
            for field in fields(wanted)
            if getattr(wanted, field.name) != field.default
        ]
        return f"Needs({', '.join(given)})"
