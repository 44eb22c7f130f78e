"""Bring the files of a source: pinned, verified while they stream, resumable, whole or not at all.

`listing` says which files there are and where they can be had, `transfer` brings one of them,
`download` all of them, `licences` asks before the first byte, `locking` writes checksum lists and
`bundle` carries fetched sources to a machine without network. Hub clients have reported success on
corrupt files, so the bytes are hashed here, whoever sent them.
"""
