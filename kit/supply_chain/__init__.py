"""What an image is made of, and how that is said: locks, licences, SBOM, provenance.

Nothing here is needed to run an experiment; nothing outside the standard library and click is used.
"""
