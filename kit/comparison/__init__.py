"""Compare results, claim by claim: two, or many of one manifest."""
