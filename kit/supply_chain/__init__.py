"""What an image or a run is made of: locks, licences, bills of materials, provenance.

Uses nothing outside the standard library except click.
"""
