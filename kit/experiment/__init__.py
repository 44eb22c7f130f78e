"""The definition of an experiment: its manifest, its claims, and the systems that follow."""
