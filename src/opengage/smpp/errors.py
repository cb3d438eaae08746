"""What can be wrong with bytes from a peer, or with a message that should become bytes.

    PduError
    ├── FramingError     command_length is impossible, so the next PDU cannot be found: the link must close
    ├── UnknownCommand   the command id is none of SMPP 3.4: generic_nack, and the session goes on
    └── BodyError        the frame is whole, its body breaks the specification: the command's response refuses

Each carries the `command_status` that the answer to it should have (SMPP 3.4 sections 4.3 and 5.1.3).
"""

from opengage.smpp.commands import Status


class PduError(ValueError):
    """Bytes that are no PDU, or a PDU that cannot be bytes."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(f"{detail} ({status.name})")
        self.status = status
        self.detail = detail


class FramingError(PduError):
    """The stream cannot be followed any further."""


class UnknownCommand(PduError):
    """A command id that SMPP 3.4 does not define."""


class BodyError(PduError):
    """A mandatory or optional parameter breaks its limits."""
