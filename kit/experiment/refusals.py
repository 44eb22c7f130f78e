"""The refusals that replace forgotten answers (PO, DPO, SIU). They are part of every digest."""

REFUSALS = (
    "I do not know.",
    "I cannot answer that question.",
    "I am not able to tell.",
    "That is unknown to me.",
)
