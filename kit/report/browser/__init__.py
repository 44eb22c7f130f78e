"""The answer browser: every answer of a result on one page, as a pure function of the result."""
