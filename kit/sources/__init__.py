"""Where a manifest's files are, and the proof that they are the listed ones."""
