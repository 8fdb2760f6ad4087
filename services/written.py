"""Files that a command was asked to write."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import InputError


@contextmanager
def writing(path: Path, field: str = "out") -> Iterator[None]:
    """Around what writes to `path`, which the option `field` named. Raises InputError where it cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise  # who reads has seen enough
    except OSError as error:
        place = "name a file in a folder that exists and that you may write to"
        mend = "free space on that disk" if error.errno == errno.ENOSPC else place
        raise InputError(f"cannot write {path}: {error.strerror}", field=field, mend=mend) from error
