"""The files of a manifest's sources: where they are, and whether they match their lists."""
