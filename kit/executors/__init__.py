"""Executors run the jobs of a plan; which one never changes a result."""
