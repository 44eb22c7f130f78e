"""Bring the files of a source: pinned, verified while they stream, resumable, whole or not at all.

`hub` says which files there are and `listing` where they can be had; `transfer` brings one of them
(`part` is what has arrived, `version` whose bytes they are, `patience` when to ask again),
`download` all of them, `sources` what is missing of a source. `licences` asks before the first
byte, `locking` writes checksum lists and `bundle` carries fetched sources to a machine without
network. Hub clients have reported success on corrupt files, so the bytes are hashed here, whoever
sent them.
"""
