"""What the needs of a method have prepared for one micro-batch, by name."""

from collections.abc import Mapping

from torch import Tensor

from kit.errors import MethodError
from kit.methods.needs import Needs
from kit.model.batches import Batch


class Prepared:
    """The batches and tensors of a micro-batch of B records; `Step` adds the model.

    Reading something that the method's `needs` do not declare is an error that names the need.
    """

    needs: Needs
    prepared: Mapping[str, Batch | Tensor]
    origin: str

    @property
    def forget(self) -> Batch:
        """The forget records with their answers."""
        return self.batch("forget")

    @property
    def retain(self) -> Batch:
        """Retain records with their answers."""
        return self.batch("retain")

    @property
    def refusal(self) -> Batch:
        """The forget questions, answered by a refusal."""
        return self.batch("refusal", "refusals")

    @property
    def other(self) -> Batch:
        """The forget questions, answered as for another, retained person (or event)."""
        return self.batch("other", "other_answers")

    @property
    def random_answers(self) -> tuple[Batch, ...]:
        """The forget questions, answered by what has nothing to do with them: K batches."""
        self._require("random_answers", "random_answers")
        count = sum(name.startswith("random_") for name in self.prepared)
        return tuple(self.batch(f"random_{k}", "random_answers") for k in range(count))

    @property
    def alternate(self) -> Batch:
        """The forget questions, answered by the vanilla model's alternates."""
        return self.batch("alternate", "alternates")

    @property
    def subject_fact(self) -> Batch:
        """Another fact about each forget record's subject, or the record where there is none."""
        return self.batch("subject_fact", "subject_facts")

    @property
    def has_subject_fact(self) -> Tensor:
        """1.0 where `subject_fact` is a fact, 0.0 where it is the forget record itself, [B]."""
        return self.values("has_subject_fact", "subject_facts")

    @property
    def text(self) -> Batch:
        """The forget records without their images."""
        return self.batch("text", "text_view")

    @property
    def retain_text(self) -> Batch:
        """The retain records without their images."""
        return self.batch("retain_text", "retain", "text_view")

    @property
    def refusal_text(self) -> Batch:
        """The forget questions without their images, answered by a refusal."""
        return self.batch("refusal_text", "refusals", "text_view")

    @property
    def forget_reference(self) -> Tensor:
        """log pi_0(y) of the forget answers, summed over tokens, in nats, [B]."""
        return self.values("forget_reference", "reference_scalars")

    @property
    def refusal_reference(self) -> Tensor:
        """log pi_0(refusal), summed over tokens, in nats, [B]."""
        return self.values("refusal_reference", "refusals", "reference_scalars")

    @property
    def alternate_reference(self) -> Tensor:
        """log pi_0(alternate), summed over tokens, in nats, [B]."""
        return self.values("alternate_reference", "alternates", "reference_scalars")

    @property
    def retain_only_reference(self) -> Tensor:
        """log-probability of the forget answers under Retain-only, in nats, [B]."""
        return self.values("retain_only_reference", "retain_only_scalars")

    @property
    def forget_is_person(self) -> Tensor:
        """1.0 where the forget record asks for a person and 0.0 where it asks for an event, [B]."""
        return self.values("forget_is_person", "concept_balance")

    @property
    def direction(self) -> Tensor:
        """A random unit vector of hidden states, the same in every step of a job, [d]."""
        return self.values("direction", "hidden_states")

    @property
    def concept_tokens(self) -> Tensor:
        """True for the tokens of the forgotten names and keywords, [V]."""
        return self.values("concept_tokens", "single_image")

    def batch(self, name: str, *needs: str) -> Batch:
        """Return a prepared batch.

        Args:
            needs: what prepares it; by default the need of the same name.

        Raises:
            MethodError: the method does not declare one of the needs.
        """
        found = self._prepared(name, needs or (name,))
        assert isinstance(found, Batch), f"{name} is no batch"
        return found

    def values(self, name: str, *needs: str) -> Tensor:
        """Return a prepared tensor; arguments and errors as for `batch`."""
        found = self._prepared(name, needs or (name,))
        assert isinstance(found, Tensor), f"{name} is no tensor"
        return found

    def _prepared(self, name: str, needs: tuple[str, ...]) -> Batch | Tensor:
        self._require(name, *needs)
        return self.prepared[name]

    def _require(self, name: str, *needs: str) -> None:
        missing = [need for need in needs if need not in self.needs.declared()]
        if missing:
            raise MethodError(
                f"{self.origin}: the loss uses `step.{name}`, which its needs do not declare",
                expected=f"{' and '.join(missing)} in `needs`",
                found=self.needs.source(),
                remedy=f"needs = {self.needs.source(*missing)}",
            )
