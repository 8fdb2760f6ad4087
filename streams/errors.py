"""The error families. Every message says what is wrong and the mend."""


class PrefloopError(Exception):
    """Base of every error that prefloop raises on purpose."""


class InputError(PrefloopError):
    """Somebody sent something that can never be accepted as it is.

    `field` names the offending field ("" where the whole body is meant) and `mend` what to do.
    """

    def __init__(self, message: str, *, field: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.mend = mend


class ConflictError(InputError):
    """The same id with other content, a taken slot, a closed task: the first one is kept."""


class NotFoundError(InputError):
    """The id names nothing here."""


class GoneError(InputError):
    """It was possible once and the time for it is over."""


class ForbiddenError(InputError):
    """The caller's role or standing does not allow it."""


class DecodeError(PrefloopError):
    """Bytes in the log that are no event of their topic; they go to the dead letters."""


class UnavailableError(PrefloopError):
    """An outage: try again after `retry_after` seconds. Nothing was acknowledged."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnsureError(UnavailableError):
    """An outage in the middle of a write: it is in the log, or not. Sent again it counts once."""


class SettingsError(PrefloopError):
    """A setting whose value is not allowed; the message names key, value and what is allowed."""


class TrainingError(PrefloopError):
    """A training run that cannot go on."""
