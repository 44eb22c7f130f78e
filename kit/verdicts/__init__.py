"""From rows and claims to verdicts."""
