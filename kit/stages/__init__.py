"""The stages of a run: each does the work that is missing, in worker processes."""
