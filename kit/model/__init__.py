"""The frozen 4-bit base, LoRA adapters on it, batches, and the log-probabilities of answers."""
