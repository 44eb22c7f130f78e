"""Two results, held against each other claim by claim."""
