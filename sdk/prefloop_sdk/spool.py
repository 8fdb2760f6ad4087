"""What could not be sent yet, in append-only files that outlive the process.

A folder holds segments. One process writes a segment, under an exclusive lock that dies with the process; whoever
gets the lock of a finished (or orphaned) segment may send and remove it. So several processes can share a folder.
A line is `checksum kind json`: a line that a crash cut short fails its checksum and is passed over.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import uuid
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from prefloop_sdk.entries import Entry, Kind

SEGMENT_BYTES = 4 * 1024 * 1024
SUFFIX = ".spool"


def encode_line(entry: Entry) -> bytes:
    """The entry as a line with its checksum."""
    rest = entry.kind.encode() + b" " + entry.body
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def decode_line(line: bytes) -> Entry | None:
    """The entry of a line, None where the line is damaged."""
    checksum, rest = line[:9], line[9:-1]
    if not line.endswith(b"\n") or checksum != b"%08x " % zlib.crc32(rest):
        return None
    return Entry(cast("Kind", rest[:1].decode()), rest[2:])


class Spool:
    """The folder. Thread-safe. Append at any time; `peek` a batch, send it, then `done`."""

    def __init__(self, folder: Path, most_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self._most_bytes = most_bytes
        self._segment_bytes = segment_bytes
        self._writing: tuple[Path, int] | None = None  # path and descriptor of the segment being written
        self._reading: tuple[Path, BinaryIO] | None = None
        self._next = (0, 0)  # where the batch after the peeked one begins, and damaged lines before it
        self.damaged = 0  # lines passed over
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._probe()

    def append(self, entries: Sequence[Entry]) -> int:
        """Writes as many as the bound allows; how many those are. 0 where the disk refuses."""
        with self.lock:
            try:
                lines = self._fitting([encode_line(entry) for entry in entries])
                return len(lines) if lines and self._write(b"".join(lines)) else 0
            except OSError:
                return 0

    def peek(self, most_items: int, most_bytes: int) -> list[Entry]:
        """The oldest entries that nobody else is sending; the same again until `done`. Empty: nothing is left."""
        with self.lock:
            while self._reading or self._claim():
                entries = self._read(most_items, most_bytes)
                if entries:
                    return entries
                self.done()
                self._remove()
            return []

    def done(self) -> None:
        """The peeked batch needs no keeping any more."""
        with self.lock:
            if self._reading:
                place, damaged = self._next
                self._reading[1].seek(place)
                self.damaged += damaged

    def release(self) -> None:
        """Closes all files; what is in them can be sent by others."""
        with self.lock:
            self._seal()
            if self._reading:
                self._reading[1].close()
                self._reading = None

    def forget(self) -> None:
        """After a fork: closes the child's copies of the parent's files. The parent's locks hold on."""
        self.lock = threading.RLock()
        self.release()

    def used_bytes(self) -> int:
        """Bytes of all segments in the folder, other processes' too."""
        return sum(_size(path) for path in self.folder.glob(f"*{SUFFIX}"))

    # ------------------------------------------------------------ writing

    def _probe(self) -> None:
        """Raises OSError now, not later, where the folder cannot be written."""
        probe = self.folder / f"{uuid.uuid4().hex}.probe"
        probe.touch(mode=0o600)
        probe.unlink()

    def _fitting(self, lines: list[bytes]) -> list[bytes]:
        room = self._most_bytes - self.used_bytes()
        for index, line in enumerate(lines):
            room -= len(line)
            if room < 0:
                return lines[:index]
        return lines

    def _write(self, blob: bytes) -> bool:
        """Appends it whole or not at all."""
        _, descriptor = self._writing = self._writing or self._new_segment()
        before = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, blob)
        except OSError:
            written = 0
        if written != len(blob):
            with suppress(OSError):
                os.ftruncate(descriptor, before)  # what is counted as dropped must not be sent after all
        if written != len(blob) or before + written >= self._segment_bytes:
            self._seal()
        return written == len(blob)

    def _new_segment(self) -> tuple[Path, int]:
        """Appears under its name only when it is locked: nobody can take it for an orphan."""
        path = self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.rename(path)
        except OSError:
            os.close(descriptor)
            raise
        return path, descriptor

    def _seal(self) -> None:
        if self._writing:
            os.close(self._writing[1])
            self._writing = None

    # ------------------------------------------------------------ reading

    def _claim(self) -> bool:
        """Takes the oldest segment that is free, our own too; False where there is none."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if self._writing and path == self._writing[0]:
                self._seal()
            if opened := _open_locked(path):
                self._reading = (path, opened)
                return True
        return False

    def _read(self, most_items: int, most_bytes: int) -> list[Entry]:
        """None only at the end of the segment."""
        assert self._reading
        file = self._reading[1]
        entries: list[Entry] = []
        start, damaged = file.tell(), 0
        while not entries or (len(entries) < most_items and file.tell() - start < most_bytes):
            line = file.readline()
            if not line:
                break
            entry = decode_line(line)
            if entry is None:
                damaged += 1
            else:
                entries.append(entry)
        self._next = (file.tell(), damaged)
        file.seek(start)
        return entries

    def _remove(self) -> None:
        assert self._reading
        path, file = self._reading
        self._reading = None
        path.unlink(missing_ok=True)
        file.close()


def _open_locked(path: Path) -> BinaryIO | None:
    """The file under its lock; None where another one has it, or had it and removed it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    if os.fstat(file.fileno()).st_nlink == 0:
        file.close()
        return None
    return file


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
