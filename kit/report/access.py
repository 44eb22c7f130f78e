"""What a method may change: weights, inference or the prompt. Only the first can forget."""

from kit.experiment.systems import UNTRAINED

WEIGHTS, INFERENCE, PROMPT = "weights", "inference", "prompt"
MEANING = (
    "Access says what a method may change. weights: it trains the model. inference: it changes how "
    "answers are computed, not the weights (no method of the kit does). prompt: it changes the "
    "question alone. A method without access to the weights forgets nothing: it suppresses "
    "behaviour. All knowledge is still in the model, and another question may bring it out. "
    "Compare it with methods of the same access."
)
SUPPRESSION = "behavioural suppression"


def access_of(method: str) -> str:
    """Return what the method with this name in kit/methods may change."""
    return PROMPT if method in UNTRAINED else WEIGHTS
