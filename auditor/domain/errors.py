"""One family of errors, branched by who must act; each has a stable code and advice for the person reading it."""

from __future__ import annotations

from typing import ClassVar


class AuditorError(Exception):
    """Something that a person can act upon: ``code`` is stable, ``advice`` says what to do."""

    code: ClassVar[str] = "auditor"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self._advice = advice

    def advice(self) -> str:
        """What the reader can do about it, in one sentence; empty if nothing."""
        return self._advice


class ConfigurationError(AuditorError):
    """The operator's settings cannot work as they stand."""

    code = "configuration"


class DefinitionError(ConfigurationError):
    """A control, framework or check definition is wrong; names file and line."""

    code = "definition"

    def __init__(self, message: str, *, file: str, line: int | None = None, advice: str = "") -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}", advice=advice)
        self.file = file
        self.line = line


class CollectionError(AuditorError):
    """Looking failed as a whole: nothing could be seen."""

    code = "collection"


class WrongAccountError(CollectionError):
    """The credentials answer for another account than the source names: nothing was kept."""

    code = "wrong_account"


class EvidenceError(AuditorError):
    """Stored evidence is missing or does not match its digest."""

    code = "evidence"


class LockedError(EvidenceError):
    """The object is locked or under legal hold: nobody may remove it yet."""

    code = "locked"


class LedgerError(AuditorError):
    """The log is not what was signed, or may not be signed as it stands."""

    code = "ledger"


class TenancyError(AuditorError):
    """The tenant, source or row asked for is not there for this tenant."""

    code = "tenancy"


class StaleFenceError(TenancyError):
    """A worker whose lease was taken over came back with results: they are dropped."""

    code = "stale_fence"


class AccessError(AuditorError):
    """The principal may not do this."""

    code = "access"


class DeliveryError(AuditorError):
    """A message could not be handed over."""

    code = "delivery"
    retryable = True


class EgressError(DeliveryError):
    """The address may not be dialled from here."""

    code = "egress"
    retryable = False


class ExportError(AuditorError):
    """What was to be handed over cannot be written whole; nothing was."""

    code = "export"
