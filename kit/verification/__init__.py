"""Check that a result is what was signed, and that its numbers follow from its answers."""
