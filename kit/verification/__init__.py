"""Is a result what was signed, and does everything in it follow from its answers?"""
