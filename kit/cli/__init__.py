"""The verbs of the command line, what they print, and the exit code of each error."""
