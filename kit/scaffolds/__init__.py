"""Scaffolds: working files to start a method, a benchmark or a manifest from.

A scaffold works and passes the tests as it is written. Its author replaces what it computes, one
piece at a time.
"""
