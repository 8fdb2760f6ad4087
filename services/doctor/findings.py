"""What a look at one dependency came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from streams.errors import PrefloopError

State = Literal["well", "doubtful", "broken"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report. `mend` says what to do about what is not well."""

    what: str
    state: State
    says: str
    mend: str = ""


def well(what: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(what=what, state="well", says=says)


def doubtful(what: str, says: str, mend: str) -> Finding:
    """It works, and will not always."""
    return Finding(what=what, state="doubtful", says=says, mend=mend)


def broken(what: str, says: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(what=what, state="broken", says=says, mend=mend)


def looked(what: str, look: Callable[[], Iterator[Finding]], mend: str) -> Iterator[Finding]:
    """What the look finds; where it fails itself, that it is broken. `mend` is for faults that do not say their own."""
    try:
        yield from look()
    except (PrefloopError, OSError, SQLAlchemyError) as error:
        yield broken(what, str(error), getattr(error, "mend", "") or mend)
