"""Where texts leave: service profiles and phone numbers."""

from opengage.domain.records.base import Record
from opengage.ids import Id


class ServiceProfile(Record, frozen=True, kw_only=True):
    """One carrier connection of an account; `kind` is `sandbox` or `smpp`."""

    name: str
    kind: str
    url: str | None = None
    """smpp://SYSTEM_ID@HOST:PORT, without the password; None for the sandbox, whose address `serve` knows."""
    password: str | None = None
    window: int | None = None
    """Unanswered submits at once; None for the setting's default."""
    receipt_window_seconds: int | None = None
    is_active: bool = True
    binds: int | None = None
    """Connections at once; None for one."""
    fallback_id: Id | None = None
    """The service profile that takes over what was never submitted while this one's circuit is open."""
    in_doubt_policy: str | None = None
    """`resend`, or None: hold what is in doubt until a receipt or an operator settles it."""
    budgets: str | None = None
    """JSON list of `domain.budgets`: segments a minute, hour or day that the carrier allows, over all its numbers."""


class PhoneNumber(Record, frozen=True, kw_only=True):
    """A sender in E.164 on a service profile; `rate` is segments per second, None for no limit of ours."""

    phone_number: str
    service_profile_id: Id
    label: str | None = None
    rate: float | None = None
    is_active: bool = True
    budgets: str | None = None
    """As of a service profile, for this number alone."""
