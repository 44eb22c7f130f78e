"""Compare results claim by claim: two results, or many of one manifest."""
