"""What a model says instead of a forgotten answer (PO, DPO, SIU); part of every digest."""

REFUSALS = (
    "I do not know.",
    "I cannot answer that question.",
    "I am not able to tell.",
    "That is unknown to me.",
)
