"""The hot path's statements on PostgreSQL; `batches` says what each is for.

A look-up or a change joins its table to `unnest` of the batch's arrays. That is fast only as a loop over the batch with
an index look-up in it. So the whole key travels in the arrays, the account in each of its places: were it a parameter
of its own, a planner without statistics would take the few rows that it thinks an account to have, which are all of
them, and compare each with the batch. Other ways to join are switched off (see `options`), and a test holds each
statement to its plan.

Statistics of a table at rest say that nothing is due and nothing open. Believing them, a planner would begin with the
few rows that it expects there and compare each with the batch, whatever is there by then. So what guards a change
stands in a CASE: no statistics are kept of one, and no index is found by it.
"""

from typing import Final

# To PostgreSQL a column that IS NULL is no constant: its index gives the order only to who asks for that column's too.
_DUE_OF: Final = """
SELECT id, phone_number, meta, text_id, reason FROM envelopes
WHERE account_id = $1 AND engagement_id = $2 AND is_priority = $3 AND next_at <= $4 AND {of}
ORDER BY {order}next_at, id LIMIT $5
"""
_TAKE: Final = "FOR NO KEY UPDATE SKIP LOCKED"
DUE_OF_NOBODY: Final = _DUE_OF.format(of="phone_number_id IS NULL", order="phone_number_id, ")
DUE_OF_LANE: Final = _DUE_OF.format(of="phone_number_id = $6", order="")
TAKE_DUE_OF_NOBODY: Final = DUE_OF_NOBODY + _TAKE
TAKE_DUE_OF_LANE: Final = DUE_OF_LANE + _TAKE

SUPPRESSED: Final = """
SELECT phone_number FROM unnest($1::bigint[], $2::text[]) AS given (account, wanted)
JOIN suppressions ON account_id = given.account AND phone_number = given.wanted
"""

# Without statistics the index on the engagement's ids looks as good as the one on its numbers, and walks through all of
# the engagement for each. A range of one number, in order, is what only the latter can give.
SENT_BEFORE: Final = """
SELECT t.recipient, t.body, t.id
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, engagement, wanted)
CROSS JOIN LATERAL (
    SELECT account_id, text_id FROM envelopes
    WHERE account_id = given.account AND engagement_id = given.engagement
        AND phone_number BETWEEN given.wanted AND given.wanted AND text_id IS NOT NULL
    ORDER BY phone_number
) AS e
JOIN texts AS t ON t.account_id = e.account_id AND t.id = e.text_id
"""

SENT_LATELY: Final = """
SELECT e.text_id, e.phone_number
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, engagement, wanted)
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
WHERE account_id = $1 AND service_profile_id = $2 AND epoch IS NOT NULL AND status IN ('in-doubt', 'sending')
    AND recipient = ANY($3::text[])
ORDER BY phone_number_id, id
"""

OPEN_TEXTS: Final = """
SELECT epoch, sent_at, account_id, id, status, segments, attempts, engagement_id, envelope_id, false FROM texts
WHERE account_id = $1 AND phone_number_id = $2 AND epoch IS NOT NULL AND status = $3 AND id < $4
ORDER BY id LIMIT $5
"""

RESUBMIT_TEXTS: Final = """
UPDATE texts SET status = 'sending', epoch = $3, attempts = attempts + 1, updated_at = $4,
    service_profile_id = $5, phone_number_id = $6, sender = $7
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
WHERE account_id = given.account AND id = given.wanted
    AND CASE WHEN status = 'queued' THEN true ELSE false END
"""

CANCEL_TEXTS: Final = """
UPDATE texts SET status = 'canceled', settled_at = $3, updated_at = $3
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
WHERE account_id = given.account AND id = given.wanted
    AND CASE WHEN status = 'queued' THEN true ELSE false END
"""

INTEND_ENVELOPES: Final = """
UPDATE envelopes SET status = 'processing', reason = 'sending', next_at = NULL, text_id = given.text,
    processed_at = $2, updated_at = $2, hold_reason = NULL, hold_until = NULL
FROM unnest($1::bigint[], $3::bytea[], $4::bytea[]) AS given (account, wanted, text)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

SETTLE_ENVELOPES: Final = """
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = NULL, processed_at = $2,
    completed_at = $2, updated_at = $2, hold_reason = NULL, hold_until = NULL
FROM unnest($1::bigint[], $3::bytea[], $4::text[], $5::text[]) AS given (account, wanted, status, reason)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

HOLD_ENVELOPES: Final = """
UPDATE envelopes SET status = given.status, reason = given.reason, hold_reason = given.rule,
    hold_until = CASE WHEN given.rule IS NOT NULL THEN given.until END, next_at = given.until, updated_at = $2,
    scheduled_at = CASE WHEN given.rule IS NULL THEN given.until ELSE scheduled_at END
FROM unnest($1::bigint[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS given (account, wanted, status, reason, rule, until)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

ASSIGN: Final = """
UPDATE envelopes SET phone_number_id = given.number
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS given (account, wanted, number)
WHERE envelopes.account_id = given.account AND envelopes.id = given.wanted
    AND CASE WHEN envelopes.next_at IS NOT NULL THEN true ELSE false END
"""

RECENT: Final = """
SELECT r.phone_number, r.text_id, r.phone_number_id FROM unnest($1::bigint[], $2::text[]) AS given (account, wanted)
CROSS JOIN LATERAL (
    SELECT * FROM recent_texts
    WHERE account_id = given.account AND phone_number BETWEEN given.wanted AND given.wanted AND text_id >= $3
    ORDER BY phone_number
) AS r
ORDER BY r.text_id
"""

REMEMBER: Final = """
INSERT INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bytea[])
ON CONFLICT DO NOTHING
"""

TEXTS: Final = """
SELECT account_id, id, status, segments, attempts, engagement_id, envelope_id, settled_at IS NOT NULL
FROM unnest($1::bigint[], $2::bytea[]) AS given (account, wanted)
JOIN texts ON account_id = given.account AND id = given.wanted
"""

# newest last: carriers use their ids again after a while
TEXTS_OF_REFS: Final = """
SELECT s.carrier_ref, s.account_id, s.text_id, t.status, t.segments, t.attempts, t.engagement_id, t.envelope_id,
    t.settled_at IS NOT NULL
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, profile, wanted)
JOIN text_segments AS s ON s.account_id = given.account AND s.service_profile_id = given.profile
    AND s.carrier_ref = given.wanted
JOIN texts AS t ON t.account_id = s.account_id AND t.id = s.text_id
ORDER BY s.text_id
"""

ADD_REFS: Final = """
INSERT INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[], $5::bigint[], $6::bigint[])
ON CONFLICT DO NOTHING
"""

PARK: Final = """
INSERT INTO parked_receipts
    (account_id, service_profile_id, received_at, carrier_ref, recipient, reference, state, code)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
ON CONFLICT DO NOTHING
"""

PARKED: Final = """
SELECT p.carrier_ref, p.recipient, p.reference, p.state, p.code
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, profile, wanted)
JOIN parked_receipts AS p ON p.account_id = given.account AND p.service_profile_id = given.profile
    AND p.carrier_ref = given.wanted
"""

FORGET_PARKED: Final = """
DELETE FROM parked_receipts USING unnest($1::bigint[], $2::bytea[], $3::text[]) AS given (account, profile, wanted)
WHERE account_id = given.account AND service_profile_id = given.profile AND carrier_ref = given.wanted
"""

# the epoch stays for as long as the text's fate is open, and with it the text in the index of the open ones
STEP_TEXTS: Final = """
UPDATE texts SET status = given.status, code = given.code, result_id = given.result, attempts = given.attempts,
    updated_at = $2::bigint,
    sent_at = CASE WHEN given.accepted THEN coalesce(sent_at, $2::bigint) ELSE sent_at END,
    settled_at = CASE WHEN given.settled THEN $2::bigint END,
    next_at = CASE WHEN envelope_id IS NULL THEN given.next_at END, hold_reason = NULL, hold_until = NULL,
    epoch = CASE WHEN given.settled OR given.status = 'queued' THEN NULL ELSE epoch END
FROM unnest($1::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bigint[], $8::boolean[], $9::boolean[],
        $10::text[], $11::bigint[])
    AS given (account, wanted, result, status, code, attempts, accepted, settled, before, next_at)
WHERE texts.account_id = given.account AND texts.id = given.wanted AND texts.status = given.before
    AND CASE WHEN texts.settled_at IS NULL THEN true ELSE false END
"""

STEP_ENVELOPES: Final = """
UPDATE envelopes SET status = given.status, reason = given.reason, next_at = given.next_at, updated_at = $2::bigint,
    retry_attempts = given.retries,
    completed_at = CASE WHEN given.status IN ('complete', 'incomplete') THEN $2::bigint END
FROM unnest($1::bigint[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    AS given (account, wanted, status, reason, next_at, retries)
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
