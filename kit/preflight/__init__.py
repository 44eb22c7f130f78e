"""Checks of base model and records that end a run before hours are spent."""
