"""Texts to submit_sm bodies, for the SMPP carrier: step 7 of the text's path, on the way out.

The same text always becomes the same bytes: the reference in the header of its segments and in
user_message_reference comes from its id, so that a segment sent again after a deferral joins those that went before.
"""

from typing import Final

from opengage.carriers.smpp.verdicts import LongText
from opengage.clock import SECOND, Clock, Instant
from opengage.domain.outcomes import Outcome, Refused, Submission, reference_of
from opengage.smpp import coding, concatenation
from opengage.smpp.coding import DataCoding
from opengage.smpp.commands import status_name
from opengage.smpp.errors import BodyError
from opengage.smpp.hot import SubmitTemplate
from opengage.smpp.periods import relative
from opengage.smpp.tlv import user_message_reference

Token = Submission | tuple[LongText, int]
"""What the session finds a submit by: the text as it was handed in, or the text and the number of its segment."""

Item = tuple[bytes, Token]
"""A submit_sm body and its token."""

UNENCODABLE: Final = "unencodable"
"""The code of a text that no data coding can carry: it holds half a surrogate pair, or over 255 segments."""

_MOST_TEMPLATES: Final = 10_000
_DEFAULT: Final = int(DataCoding.DEFAULT)
_UCS2: Final = int(DataCoding.UCS2)


class Encoder:
    """Makes bodies; what is constant for a sender is encoded once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._templates: dict[str, SubmitTemplate] = {}
        """By sender, or by sender and validity period: what is sent within one second shares those too."""

    def add(self, submission: Submission, items: list[Item]) -> Outcome | None:
        """Put the submits of this text on `items`; an outcome instead when there is nothing to send."""
        body = submission.body
        try:
            if submission.expires_at is None:
                template = self._templates.get(submission.sender) or self._remember(submission.sender)
            else:
                template = self._expiring(submission.sender, submission.expires_at)
            try:
                payload = coding.encode_gsm7(body)
                data_coding = _DEFAULT
                is_single = len(payload) <= concatenation.SEPTETS
            except UnicodeEncodeError:
                payload = coding.encode_ucs2(body)
                data_coding = _UCS2
                is_single = len(payload) <= 2 * concatenation.UCS2_UNITS
            if not is_single or submission.accepted:
                return self._add_long(template, submission, items)
            mark = user_message_reference(int.from_bytes(submission.text_id[-2:], "big"))
            items.append((template.body(_digits(submission.recipient), data_coding, payload, 0, mark), submission))
        except BodyError as error:
            return Refused(submission.text_id, status_name(error.status), attempt=submission.attempt)
        except ValueError:  # a UnicodeEncodeError is one
            return Refused(submission.text_id, UNENCODABLE, attempt=submission.attempt)
        return None

    def _add_long(self, template: SubmitTemplate, submission: Submission, items: list[Item]) -> Outcome | None:
        """The segments that no earlier attempt got through."""
        reference = reference_of(submission.text_id)
        cut = concatenation.split(submission.body, reference)
        text = LongText(submission, len(cut.payloads))
        recipient, mark = _digits(submission.recipient), user_message_reference(reference)
        items += [
            (template.body(recipient, cut.data_coding, cut.payloads[number - 1], cut.esm_class, mark), (text, number))
            for number in text.numbers()
        ]
        return text.outcome()

    def _expiring(self, sender: str, expires_at: Instant) -> SubmitTemplate:
        """With a validity period: the network counts it from when it takes the text, which is now."""
        period = relative((expires_at - self._clock.now()) / SECOND)
        return self._templates.get(f"{sender} {period}") or self._remember(sender, period)

    def _remember(self, sender: str, period: str = "") -> SubmitTemplate:
        if len(self._templates) >= _MOST_TEMPLATES:
            self._templates.clear()
        template = SubmitTemplate(_digits(sender), validity_period=period)
        self._templates[f"{sender} {period}" if period else sender] = template
        return template


def _digits(number: str) -> str:
    """An E.164 number as SMPP carries it under TON 1 and NPI 1: without the plus sign."""
    return number.removeprefix("+")
