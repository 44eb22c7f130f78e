"""Scaffolds: the files with which an author of a method, a benchmark or a manifest begins.

A scaffold works and passes the tests as it is written. Its author replaces what it computes, one
piece at a time.
"""
