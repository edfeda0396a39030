"""What can go wrong on the user's side, by whose turn it is to act.

    LabkitError
    ├── SettingsError          a value in the environment, in .env or in a call: the user mends it
    │   └── MissingKey         a provider should go live and has no key
    ├── NotStarted             labkit.start() has not run in this process
    ├── ServerError            the lab server does not start, or does not answer
    ├── ControlError           the lab server answered a control call with a refusal
    └── NothingRecorded        the journal holds no such request

A message is one or two sentences: what, where, and the fix. Notebooks and the command line show the message alone,
since the frames below it are ours and of no use to the reader; `exc.__traceback__` still holds them.
"""

from __future__ import annotations


class LabkitError(Exception):
    """Base of all errors that labkit raises on purpose. `exit_code` is what the command line ends with."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """IPython shows this in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(LabkitError):
    """A setting that cannot be used. `name` is the variable or argument at fault, when one is."""

    exit_code = 2

    def __init__(self, message: str, *, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class MissingKey(SettingsError):
    """A provider was asked to go live, and no key for it was found."""


class NotStarted(LabkitError):
    """Something needs a session, and `labkit.start()` has not run in this process."""

    def __init__(self, message: str = "No session yet: run `import labkit as lk; lk.start()` first.") -> None:
        super().__init__(message)


class ServerError(LabkitError):
    """The lab server did not start, does not answer, or is not ours. `log` is the file to read for more."""

    def __init__(self, message: str, *, log: str | None = None) -> None:
        super().__init__(message)
        self.log = log


class ControlError(LabkitError):
    """The lab server refused a control call: `status` is its HTTP status, `body` what it answered."""

    def __init__(self, message: str, *, status: int, body: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class NothingRecorded(LabkitError):
    """The journal holds no request of the kind that was asked for."""
