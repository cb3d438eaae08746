"""The hot path's statements on PostgreSQL; `batches` says what each is for.

A look-up or a change joins its table to the batch, `given`. That is fast only as a loop over the batch with an index
look-up in it. So the whole key stands in each of its rows, the account too, behind a fence (OFFSET 0): were it a
parameter of its own, a planner without statistics would take the few rows that it thinks an account to have, which are
all of them, and compare each with the batch. Other ways to join are switched off (see `options`), and a test holds each
statement to its plan.

How a batch travels decides what a statement costs the worker, since the driver looks at each element of an array by
itself. So ids come packed, 16 bytes for each; what rows have in common comes once, with its place (`kind`) in each; and
words and places come as JSON.

Statistics of a table at rest say that nothing is due and nothing open. Believing them, a planner would begin with the
few rows that it expects there and compare each with the batch, whatever is there by then. So what guards a change
stands in a CASE: no statistics are kept of one, and no index is found by it.
"""

from typing import Final


def _given(rows: str, **columns: str) -> str:
    """A batch in its order: the account, which is $1, and these columns."""
    told = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    return f"(SELECT $1::bigint AS account, {told} FROM {rows} OFFSET 0) AS given"


def _ids(place: int) -> str:
    """As many rows as there are packed ids in this parameter."""
    return f"generate_series(1, length(${place}::bytea) / 16) AS nth"


def _each(*places: int) -> str:
    """The elements of the JSON arrays in these parameters, side by side."""
    return f"ROWS FROM ({', '.join(f'json_array_elements_text(${place}::json)' for place in places)})"


def _kinds(place: int) -> str:
    """As many rows as there are kinds in this parameter."""
    return f"{_each(place)} WITH ORDINALITY AS each (kind, nth)"


def _id(place: int) -> str:
    """A row's own among the packed ids of this parameter."""
    return f"substring(${place}::bytea FROM (nth * 16 - 15)::int FOR 16)"


def _of_kind(place: int, type_: str) -> str:
    """What rows of its kind have in common: this parameter has it for each kind."""
    return f"(${place}::{type_}[])[kind::int]"


def _counted(change: str) -> str:
    """A change, how many rows it touched, and the transaction's number, for which its commit need not ask then."""
    return f"WITH changed AS ({change} RETURNING 1) SELECT count(*), pg_current_xact_id()::text FROM changed"


# Without statistics the index on the engagement's ids looks as good as the one on its numbers, and walks through all of
# the engagement for each. A range of one number, in order, is what only the latter can give.
_TEXTED: Final = """
(SELECT true FROM envelopes AS e
WHERE e.account_id = $1 AND e.engagement_id = $2 AND e.text_id IS NOT NULL
    AND e.phone_number BETWEEN envelopes.phone_number AND envelopes.phone_number
ORDER BY e.phone_number LIMIT 1) IS TRUE
"""
# To PostgreSQL a column that IS NULL is no constant: its index gives the order only to who asks for that column's too.
_DUE_OF: Final = """
SELECT id, phone_number, meta, text_id, reason, {texted} FROM envelopes
WHERE account_id = $1 AND engagement_id = $2 AND is_priority = $3 AND next_at <= $4 AND {of}
ORDER BY {order}next_at, id LIMIT $5
"""
_TAKE: Final = "FOR NO KEY UPDATE SKIP LOCKED"
DUE_OF_NOBODY: Final = _DUE_OF.format(texted=_TEXTED, of="phone_number_id IS NULL", order="phone_number_id, ")
DUE_OF_LANE: Final = _DUE_OF.format(texted=_TEXTED, of="phone_number_id = $6", order="")
TAKE_DUE_OF_NOBODY: Final = DUE_OF_NOBODY + _TAKE
TAKE_DUE_OF_LANE: Final = DUE_OF_LANE + _TAKE

SUPPRESSED: Final = f"""
SELECT phone_number FROM {_given(f"{_each(2)} AS wanted", wanted="wanted")}
JOIN suppressions ON account_id = given.account AND phone_number = given.wanted
"""

# by the numbers' index, as above
SENT_BEFORE: Final = f"""
SELECT t.recipient, t.body, t.id
FROM {_given(f"{_each(3)} AS wanted", engagement="$2::bytea", wanted="wanted")}
CROSS JOIN LATERAL (
    SELECT account_id, text_id FROM envelopes
    WHERE account_id = given.account AND engagement_id = given.engagement
        AND phone_number BETWEEN given.wanted AND given.wanted AND text_id IS NOT NULL
    ORDER BY phone_number
) AS e
JOIN texts AS t ON t.account_id = e.account_id AND t.id = e.text_id
"""

_pairs = f"unnest($2::bytea[]) AS engagement, {_each(3)} AS wanted"
SENT_LATELY: Final = f"""
SELECT e.text_id, e.phone_number FROM {_given(_pairs, engagement="engagement", wanted="wanted")}
CROSS JOIN LATERAL (
    SELECT phone_number, text_id FROM envelopes
    WHERE account_id = given.account AND engagement_id = given.engagement
        AND phone_number BETWEEN given.wanted AND given.wanted AND text_id >= $4
    ORDER BY phone_number
) AS e
"""

# in the order of the index of open texts: in that of the ids all texts of the account would be walked through
IN_DOUBT: Final = """
SELECT recipient, account_id, id, status, segments, attempts, engagement_id, envelope_id, false FROM texts
WHERE account_id = $1 AND service_profile_id = $2 AND epoch IS NOT NULL AND status IN ('in-doubt', 'queued', 'sending')
    AND recipient = ANY($3::text[])
ORDER BY phone_number_id, id
"""

OPEN_TEXTS: Final = """
SELECT epoch, sent_at, account_id, id, status, segments, attempts, engagement_id, envelope_id, false FROM texts
WHERE account_id = $1 AND phone_number_id = $2 AND epoch IS NOT NULL AND status = $3 AND id < $4
ORDER BY id LIMIT $5
"""

RESUBMIT_TEXTS: Final = f"""
UPDATE texts SET status = 'sending', epoch = $3, attempts = attempts + 1, updated_at = $4,
    service_profile_id = $5, phone_number_id = $6, sender = $7
FROM {_given(_ids(2), wanted=_id(2))}
WHERE account_id = given.account AND id = given.wanted
    AND CASE WHEN status = 'queued' THEN true ELSE false END
"""

CANCEL_TEXTS: Final = f"""
UPDATE texts SET status = 'canceled', epoch = NULL, settled_at = $3, updated_at = $3
FROM {_given(_ids(2), wanted=_id(2))}
WHERE account_id = given.account AND id = given.wanted
    AND CASE WHEN status = 'queued' THEN true ELSE false END
"""

INTEND_ENVELOPES: Final = _counted(f"""
UPDATE envelopes SET status = 'processing', reason = 'sending', next_at = NULL, text_id = given.text,
    processed_at = $2, updated_at = $2, hold_reason = NULL, hold_until = NULL
FROM {_given(_ids(3), wanted=_id(3), text=_id(4))}
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
""")

_settled = _given(_kinds(4), wanted=_id(3), status=_of_kind(5, "text"), reason=_of_kind(6, "text"))
SETTLE_ENVELOPES: Final = f"""
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = NULL, processed_at = $2,
    completed_at = $2, updated_at = $2, hold_reason = NULL, hold_until = NULL
FROM {_settled}
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

_held = _given(
    _kinds(4),
    wanted=_id(3),
    status=_of_kind(5, "text"),
    reason=_of_kind(6, "text"),
    rule=_of_kind(7, "text"),
    until=_of_kind(8, "bigint"),
)
HOLD_ENVELOPES: Final = f"""
UPDATE envelopes SET status = given.status, reason = given.reason, hold_reason = given.rule,
    hold_until = CASE WHEN given.rule IS NOT NULL THEN given.until END, next_at = given.until, updated_at = $2,
    scheduled_at = CASE WHEN given.rule IS NULL THEN given.until ELSE scheduled_at END
FROM {_held}
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

ASSIGN: Final = f"""
UPDATE envelopes SET phone_number_id = given.number
FROM {_given(_ids(2), wanted=_id(2), number=_id(3))}
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

RECENT: Final = f"""
SELECT r.phone_number, r.text_id, r.phone_number_id
FROM {_given(f"{_each(2)} AS wanted", wanted="wanted")}
CROSS JOIN LATERAL (
    SELECT * FROM recent_texts
    WHERE account_id = given.account AND phone_number BETWEEN given.wanted AND given.wanted AND text_id >= $3
    ORDER BY phone_number
) AS r
ORDER BY r.text_id
"""

REMEMBER: Final = f"""
INSERT INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT $1::bigint, phone_number, {_id(3)}, {_id(4)}
FROM {_each(2)} WITH ORDINALITY AS each (phone_number, nth)
ON CONFLICT DO NOTHING
"""

TEXTS: Final = f"""
SELECT account_id, id, status, segments, attempts, engagement_id, envelope_id, settled_at IS NOT NULL
FROM {_given(_ids(2), wanted=_id(2))}
JOIN texts ON account_id = given.account AND id = given.wanted
"""

# newest last: carriers use their ids again after a while
TEXTS_OF_REFS: Final = f"""
SELECT s.carrier_ref, s.account_id, s.text_id, t.status, t.segments, t.attempts, t.engagement_id, t.envelope_id,
    t.settled_at IS NOT NULL
FROM {_given(f"{_each(3)} AS wanted", profile="$2::bytea", wanted="wanted")}
JOIN text_segments AS s ON s.account_id = given.account AND s.service_profile_id = given.profile
    AND s.carrier_ref = given.wanted
JOIN texts AS t ON t.account_id = s.account_id AND t.id = s.text_id
ORDER BY s.text_id
"""

ADD_REFS: Final = f"""
INSERT INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT $1::bigint, $2::bytea, ref, {_id(4)}, {_of_kind(6, "bigint")}, {_of_kind(7, "bigint")}
FROM {_each(3, 5)} WITH ORDINALITY AS each (ref, kind, nth)
ON CONFLICT DO NOTHING
"""

PARK: Final = """
INSERT INTO parked_receipts
    (account_id, service_profile_id, received_at, carrier_ref, recipient, reference, state, code)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
ON CONFLICT DO NOTHING
"""

PARKED: Final = f"""
SELECT p.carrier_ref, p.recipient, p.reference, p.state, p.code
FROM {_given(f"{_each(3)} AS wanted", profile="$2::bytea", wanted="wanted")}
JOIN parked_receipts AS p ON p.account_id = given.account AND p.service_profile_id = given.profile
    AND p.carrier_ref = given.wanted
"""

FORGET_PARKED: Final = f"""
DELETE FROM parked_receipts
USING {_given(f"{_each(3)} AS wanted", profile="$2::bytea", wanted="wanted")}
WHERE account_id = given.account AND service_profile_id = given.profile AND carrier_ref = given.wanted
"""

# the epoch stays for as long as the text's fate is open, and with it the text in the index of the open ones; a single
# text that was not sent yet has none, and a restore puts it in doubt all the same
_fates = _given(
    _kinds(5),
    wanted=_id(3),
    result=_id(4),
    status=_of_kind(6, "text"),
    code=_of_kind(7, "text"),
    attempts=_of_kind(8, "bigint"),
    accepted=_of_kind(9, "boolean"),
    settled=_of_kind(10, "boolean"),
    before=_of_kind(11, "text"),
    tried=_of_kind(12, "bigint"),
    next_at=_of_kind(13, "bigint"),
)
STEP_TEXTS: Final = _counted(f"""
UPDATE texts SET status = given.status, code = given.code, result_id = given.result, attempts = given.attempts,
    updated_at = $2::bigint,
    sent_at = CASE WHEN given.accepted THEN coalesce(sent_at, $2::bigint) ELSE sent_at END,
    settled_at = CASE WHEN given.settled THEN $2::bigint END,
    next_at = CASE WHEN envelope_id IS NULL THEN given.next_at END, hold_reason = NULL, hold_until = NULL,
    epoch = CASE WHEN given.settled THEN NULL ELSE coalesce(epoch, 0) END
FROM {_fates}
WHERE texts.account_id = given.account AND texts.id = given.wanted AND texts.status = given.before
    AND texts.attempts = given.tried AND CASE WHEN texts.settled_at IS NULL THEN true ELSE false END
""")

_places = _given(
    _kinds(4),
    wanted=_id(3),
    status=_of_kind(5, "text"),
    reason=_of_kind(6, "text"),
    next_at=_of_kind(7, "bigint"),
    retries=_of_kind(8, "bigint"),
)
STEP_ENVELOPES: Final = f"""
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = given.next_at, updated_at = $2::bigint,
    retry_attempts = given.retries,
    completed_at = CASE WHEN given.status IN ('complete', 'incomplete') THEN $2::bigint END,
    hold_reason = NULL, hold_until = NULL
FROM {_places}
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
"""

NEW_ENVELOPE: Final = [
    "account_id",
    "id",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "engagement_id",
    "phone_number",
    "status",
    "reason",
    "meta",
    "next_at",
    "retry_attempts",
    "callback",
    "callback_include",
    "is_priority",
    "delay_in_seconds",
]
NEW_TEXT: Final = [
    "account_id",
    "id",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "sender",
    "recipient",
    "direction",
    "status",
    "body",
    "segments",
    "phone_number_id",
    "service_profile_id",
    "engagement_id",
    "envelope_id",
    "epoch",
    "attempts",
    "meta",
    "text_template_revision_id",
]
NEW_RESULT: Final = ["account_id", "id", "created_at", "updated_at", "text_id", "kind", "code"]
