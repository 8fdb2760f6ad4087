"""Files that a command was asked to write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import InputError

PLACE = "name a file in a folder that exists and that you may write to"


def require_writable(path: Path, field: str = "out") -> None:
    """Raises InputError where nothing can be written to `path`: before the work that would be lost."""
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"cannot write {path}", field=field, mend=PLACE)


@contextmanager
def writing(path: Path, field: str = "out") -> Iterator[None]:
    """Around what writes to `path`, which the option `field` named. Raises InputError where it cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise  # who reads has seen enough
    except OSError as error:
        mend = "free space on that disk" if error.errno == errno.ENOSPC else PLACE
        raise InputError(f"cannot write {path}: {error.strerror}", field=field, mend=mend) from error
