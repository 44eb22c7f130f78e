"""Checks of base model, records and methods that stop a run before hours are wasted."""
