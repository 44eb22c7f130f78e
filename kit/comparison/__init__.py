"""Compare two results, claim by claim."""
