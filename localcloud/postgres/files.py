"""Copies of whole folders, made by the kernel and owned by the user that PostgreSQL runs as."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from localcloud.postgres.privileges import own

# The kernel's errors when it cannot copy between two files itself (a different file system, an old kernel).
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_CHUNK = 1 << 30


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content in the kernel. The new file is private to the programs' user."""
    with open(source, "rb") as given, open(target, "xb", opener=_private) as taken:
        try:
            # If the file system supports it, the copy shares its blocks with the source until one of them changes.
            while os.copy_file_range(given.fileno(), taken.fileno(), _CHUNK):
                pass
        except OSError as error:
            if error.errno not in _CANNOT or taken.seek(0, os.SEEK_CUR):
                raise
            shutil.copyfile(source, target)
    own(target)


def copy_tree(source: Path, target: Path, without: Collection[str] = ()) -> None:
    """Copy a folder of plain files and folders; `without` names top-level entries to leave out.

    Raises `FileNotFoundError` if an entry disappears meanwhile. Nothing is flushed: see `flush`.
    """
    target.mkdir(mode=0o700)
    own(target)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in without:
                continue
            if entry.is_dir(follow_symlinks=False):
                copy_tree(Path(entry.path), target / entry.name)
            elif entry.is_file(follow_symlinks=False):
                copy_file(Path(entry.path), target / entry.name)
            else:
                raise OSError(errno.EINVAL, "neither a file nor a folder, so it cannot be copied", entry.path)


def flush(folder: Path) -> None:
    """Flush the folder's file system to the disk: one call instead of one for each file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # expired meanwhile
                continue
    return total


def private_folder(path: Path) -> None:
    """Create a folder that is private to the programs' user, unless it exists."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        own(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
