"""Download the files of a source: pinned, verified as they stream, resumable, all or nothing.

`hub` finds out which files a repository has and where each of them can be downloaded. `transfer`
downloads one file: `part` keeps what has arrived, `version` records which version of the file that
is, `patience` decides when to ask again. `download` downloads many files, `sources` only those of
a source that are missing or wrong. `licences` asks before the first byte, and `bundle` carries
fetched sources to a machine without network. Hub clients have reported success on corrupt files,
so the kit hashes every byte itself, whichever client or host delivered it.
"""
