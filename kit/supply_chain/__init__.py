"""What an image or a run is made of, and how that is said: locks, licences, SBOMs, provenance.

Nothing outside the standard library and click is used.
"""
