"""Measurements that are run by hand: `python -m tests.bench.<name>` prints what it measured."""
