"""What can go wrong on the user's side, by whose turn it is to act.

    LabkitError
    ├── SettingsError          a value in the environment, in .env or in a call: the user mends it
    │   └── MissingKey         a provider should go live and has no key
    ├── NotStarted             labkit.start() has not run in this process
    ├── ServerError            the lab server does not start, or does not answer
    ├── ControlError           the lab server answered a control call with a refusal
    ├── NothingRecorded        the journal holds no such request
    ├── UserError              a call that cannot be made as it was written: the user mends it
    │   ├── UnsupportedParameter   this model or provider does not take that parameter
    │   ├── InvalidBatch           requests of a batch that cannot be sent as they are, each with its line
    │   └── BatchGone              the provider has forgotten a batch
    ├── BudgetExceeded         the next call could pass the budget, so it was not sent
    └── CallError              a call to a model was sent, and failed
        ├── TransportError         the answer did not arrive whole: the world's turn
        │   ├── ConnectionFailed       no connection, or one that broke
        │   ├── CallTimeout            nothing came in time
        │   ├── MalformedAnswer        what came cannot be read
        │   └── IncompleteStream       a stream ended without saying why
        ├── ProviderRefused        the provider said no, and would again: the user's turn
        │   └── QuotaExceeded          the account has no money or quota left
        ├── RateLimited            too fast: `retry_after` says how long to wait
        ├── Overloaded             the provider's own trouble; later it will work
        └── InvalidOutput          the answer came and does not fit the schema, also after asking again

A message is one or two sentences: what, where, and the fix. Notebooks and the command line show the message alone,
since the frames below it are ours and of no use to the reader; `exc.__traceback__` still holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.chat import ChatResponse


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


class UserError(LabkitError):
    """A call that cannot be made as it was written."""

    exit_code = 2


class UnsupportedParameter(UserError):
    """`model` does not take `parameter`; `instead` is one of the same provider that does, when there is one."""

    def __init__(self, message: str, *, parameter: str, model: str, instead: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.model = model
        self.instead = instead


class BudgetExceeded(LabkitError):
    """The next call could pass the budget, so it was not sent. All amounts in USD."""

    def __init__(self, message: str, *, budget_usd: float, spent_usd: float, needed_usd: float) -> None:
        super().__init__(message)
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        self.needed_usd = needed_usd


class CallError(LabkitError):
    """A call to a model failed. The SDK's own exception is `__cause__`."""

    retryable = False
    """Whether the same call may succeed later. `LLMClient` has then already tried as often as its policy says."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.model = model
        self.status = status
        """HTTP status; None when no answer came, or when the refusal came inside a stream."""
        self.code = code
        """The provider's own word for it."""
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds to wait, as the provider says; None when it says nothing."""
        self.retries = 0
        """How often the call was repeated before this error was let through."""
        self.response: ChatResponse | None = None
        """What had arrived of a stream; None when nothing had."""


class TransportError(CallError):
    """The answer did not arrive whole."""

    retryable = True


class ConnectionFailed(TransportError):
    """No connection, or one that broke."""


class CallTimeout(TransportError):
    """Nothing came in time."""


class MalformedAnswer(TransportError):
    """What came cannot be read. Not repeated: the provider has done the work, and charges for it."""

    retryable = False


class IncompleteStream(TransportError):
    """A stream ended without a finish reason. The SDKs let that pass in silence; `response` is what had arrived."""

    retryable = False


class ProviderRefused(CallError):
    """The provider said no and would say it again: a bad request, a bad key, an unknown model."""


class QuotaExceeded(ProviderRefused):
    """A 429 that no waiting mends: the account has no money or quota left."""


class RateLimited(CallError):
    """Too many requests or tokens for now."""

    retryable = True


class Overloaded(CallError):
    """The provider's own trouble: 408, 409, 5xx, or an error event inside a stream."""

    retryable = True


class InvalidOutput(CallError):
    """The answer does not fit the schema, also after asking again. `response` is the last one."""
