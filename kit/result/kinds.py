"""What a file is, in words: a result has regular files and folders, and nothing else."""

import stat

KINDS = {
    stat.S_IFREG: "a regular file", stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
}  # fmt: skip


def kind_of(mode: int) -> str:
    """Return the kind of a file, by the mode that the system states for it."""
    return KINDS.get(stat.S_IFMT(mode), "a device")
