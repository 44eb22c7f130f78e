"""From measured answers and claims to verdicts."""
