"""The stages of a run: each does what is missing, in worker processes."""
