"""The files of a manifest's sources: where they are, and proof that they are the listed ones."""
