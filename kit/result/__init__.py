"""A result folder: its file names, its tables, and strict readers for bytes from outside."""
