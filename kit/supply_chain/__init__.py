"""What an image or a run consists of: locks, licences, bills of materials, provenance.

Uses nothing outside the standard library except click.
"""
