"""The hot path's statements on SQLite; `batches` says what each is for.

JSON cannot hold bytes, so ids travel beside it, packed end to end, and row `key` finds its own with `substr`.

Every update reads its rows from a subquery with LIMIT -1: that keeps SQLite from folding the subquery into the join and
then walking the whole table in its outer loop. A test holds each statement to its plan.
"""

from typing import Final

INSERT_ENVELOPES: Final = """
INSERT INTO envelopes (account_id, id, created_at, updated_at, created_by, updated_by, engagement_id, phone_number,
    status, reason, meta, next_at, retry_attempts, callback, callback_include, is_priority, delay_in_seconds)
SELECT :account_id, substr(:ids, key * 16 + 1, 16), :now, :now, :author, :author, :engagement_id,
    json_extract(value, '$[0]'), 'pending', '', json_extract(value, '$[1]'),
    :now + coalesce(json_extract(value, '$[5]'), 0) * 1000000, 0,
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(:rows)
"""

DUE: Final = """
SELECT id, phone_number, meta, text_id, reason, EXISTS (
    SELECT 1 FROM envelopes AS e INDEXED BY envelopes_account_id_engagement_id_phone_number
    WHERE e.account_id = envelopes.account_id AND e.engagement_id = envelopes.engagement_id
        AND e.phone_number = envelopes.phone_number AND e.text_id IS NOT NULL
)
FROM envelopes INDEXED BY envelopes_due
WHERE account_id = ? AND engagement_id = ? AND phone_number_id IS ? AND is_priority = ? AND next_at <= ?
ORDER BY next_at, id LIMIT ?
"""

SUPPRESSED: Final = """
SELECT phone_number FROM suppressions
WHERE account_id = ? AND phone_number IN (SELECT value FROM json_each(?))
"""

# by the index on the engagement's numbers, which holds few envelopes for each
SENT_BEFORE: Final = """
SELECT t.recipient, t.body, t.id FROM json_each(?) AS wanted
CROSS JOIN envelopes AS e INDEXED BY envelopes_account_id_engagement_id_phone_number
    ON e.account_id = ? AND e.engagement_id = ? AND e.phone_number = wanted.value AND e.text_id IS NOT NULL
CROSS JOIN texts AS t ON t.account_id = e.account_id AND t.id = e.text_id
"""

SENT_LATELY: Final = """
SELECT e.text_id, e.phone_number
FROM (SELECT substr(:engagements, key * 16 + 1, 16) AS engagement FROM json_each(:places) LIMIT -1) AS some
CROSS JOIN json_each(:rows) AS wanted
CROSS JOIN envelopes AS e INDEXED BY envelopes_account_id_engagement_id_phone_number
    ON e.account_id = :account_id AND e.engagement_id = some.engagement AND e.phone_number = wanted.value
    AND e.text_id >= :since
"""

IN_DOUBT: Final = """
SELECT recipient, account_id, id, status, segments, attempts, engagement_id, envelope_id, 0
FROM texts INDEXED BY texts_open
WHERE account_id = ? AND service_profile_id = ? AND epoch IS NOT NULL AND status IN ('in-doubt', 'queued', 'sending')
    AND recipient IN (SELECT value FROM json_each(?))
"""

OPEN_TEXTS: Final = """
SELECT epoch, sent_at, account_id, id, status, segments, attempts, engagement_id, envelope_id, 0
FROM texts INDEXED BY texts_open
WHERE account_id = ? AND phone_number_id = ? AND epoch IS NOT NULL AND status = ? AND id < ?
ORDER BY id LIMIT ?
"""

INSERT_TEXTS: Final = """
INSERT INTO texts (account_id, id, created_at, updated_at, created_by, updated_by, sender, recipient, direction, status,
    body, segments, phone_number_id, service_profile_id, engagement_id, envelope_id, epoch, attempts, meta,
    text_template_revision_id)
SELECT :account_id, substr(:texts, key * 16 + 1, 16), :now, :now, :author, :author, :sender,
    json_extract(value, '$[0]'), 'outbound', 'sending', json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    :phone_number_id, :service_profile_id, :engagement_id, substr(:envelopes, key * 16 + 1, 16), :epoch, 1, '{}',
    :revision
FROM json_each(:rows)
"""

RESUBMIT_TEXTS: Final = """
UPDATE texts SET status = 'sending', epoch = :epoch, attempts = attempts + 1, updated_at = :now,
    service_profile_id = :service_profile_id, phone_number_id = :phone_number_id, sender = :sender
FROM (SELECT :account_id AS account,
             substr(:texts, key * 16 + 1, 16) AS wanted
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = 'queued'
"""

CANCEL_TEXTS: Final = """
UPDATE texts SET status = 'canceled', epoch = NULL, settled_at = :now, updated_at = :now
FROM (SELECT :account_id AS account, substr(:texts, key * 16 + 1, 16) AS wanted
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = 'queued'
"""

INTEND_ENVELOPES: Final = """
UPDATE envelopes SET status = 'processing', reason = 'sending', next_at = NULL, text_id = some.text,
    processed_at = :now, updated_at = :now, hold_reason = NULL, hold_until = NULL
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, substr(:texts, key * 16 + 1, 16) AS text
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

SETTLE_ENVELOPES: Final = """
UPDATE envelopes SET status = some.status, reason = some.reason, next_at = NULL, processed_at = :now,
    completed_at = :now, updated_at = :now, hold_reason = NULL, hold_until = NULL
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS reason
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

HOLD_ENVELOPES: Final = """
UPDATE envelopes SET status = some.status, reason = some.reason, hold_reason = some.rule,
    hold_until = CASE WHEN some.rule IS NOT NULL THEN some.until END, next_at = some.until, updated_at = :now,
    scheduled_at = CASE WHEN some.rule IS NULL THEN some.until ELSE scheduled_at END
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, json_extract(value, '$[0]') AS status,
             json_extract(value, '$[1]') AS reason, json_extract(value, '$[2]') AS rule,
             json_extract(value, '$[3]') AS until
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

ASSIGN: Final = """
UPDATE envelopes SET phone_number_id = some.number
FROM (SELECT :account_id AS account,
             substr(:envelopes, key * 16 + 1, 16) AS wanted, substr(:numbers, key * 16 + 1, 16) AS number
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted AND envelopes.next_at IS NOT NULL
"""

RECENT: Final = """
SELECT r.phone_number, r.text_id, r.phone_number_id FROM json_each(?) AS wanted
CROSS JOIN recent_texts AS r ON r.account_id = ? AND r.phone_number = wanted.value AND r.text_id >= ?
ORDER BY r.text_id
"""

REMEMBER: Final = """
INSERT OR IGNORE INTO recent_texts (account_id, phone_number, text_id, phone_number_id)
SELECT :account_id, value, substr(:texts, key * 16 + 1, 16), substr(:numbers, key * 16 + 1, 16) FROM json_each(:rows)
"""

TEXTS: Final = """
SELECT account_id, id, status, segments, attempts, engagement_id, envelope_id, settled_at IS NOT NULL FROM texts
WHERE account_id = :account_id AND id IN (SELECT substr(:texts, key * 16 + 1, 16) FROM json_each(:rows))
"""

# newest first: carriers use their ids again after a while
TEXTS_OF_REFS: Final = """
SELECT s.carrier_ref, s.account_id, s.text_id, t.status, t.segments, t.attempts, t.engagement_id, t.envelope_id,
    t.settled_at IS NOT NULL
FROM json_each(:refs) AS wanted
CROSS JOIN text_segments AS s
    ON s.account_id = :account_id AND s.service_profile_id = :service_profile_id AND s.carrier_ref = wanted.value
CROSS JOIN texts AS t ON t.account_id = s.account_id AND t.id = s.text_id
ORDER BY s.text_id
"""

ADD_REFS: Final = """
INSERT OR IGNORE INTO text_segments (account_id, service_profile_id, carrier_ref, text_id, number, parts)
SELECT :account_id, :service_profile_id, value, substr(:texts, key * 16 + 1, 16), :number, :parts
FROM json_each(:rows)
"""

PARK: Final = """
INSERT INTO parked_receipts
    (account_id, service_profile_id, received_at, carrier_ref, recipient, reference, state, code)
SELECT :account_id, :service_profile_id, :now, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]')
FROM json_each(:rows)
WHERE true -- else ON would be read as a join's
ON CONFLICT (account_id, service_profile_id, carrier_ref) DO NOTHING
"""

PARKED: Final = """
SELECT p.carrier_ref, p.recipient, p.reference, p.state, p.code
FROM json_each(:refs) AS wanted
CROSS JOIN parked_receipts AS p
    ON p.account_id = :account_id AND p.service_profile_id = :service_profile_id AND p.carrier_ref = wanted.value
"""

FORGET_PARKED: Final = """
DELETE FROM parked_receipts
WHERE account_id = :account_id AND service_profile_id = :service_profile_id
    AND carrier_ref IN (SELECT value FROM json_each(:refs))
"""

# the epoch stays for as long as the text's fate is open, and with it the text in the index of the open ones; a single
# text that was not sent yet has none, and a restore puts it in doubt all the same
STEP_TEXTS: Final = """
UPDATE texts SET status = :status, code = :code, result_id = some.result, attempts = :attempts, updated_at = :now,
    sent_at = CASE WHEN :accepted THEN coalesce(sent_at, :now) ELSE sent_at END,
    settled_at = CASE WHEN :settled THEN :now END,
    next_at = CASE WHEN envelope_id IS NULL THEN some.next_at END, hold_reason = NULL, hold_until = NULL,
    epoch = CASE WHEN :settled THEN NULL ELSE coalesce(epoch, 0) END
FROM (SELECT :account_id AS account, substr(:texts, key * 16 + 1, 16) AS wanted,
             substr(:results, key * 16 + 1, 16) AS result, value AS next_at
      FROM json_each(:rows) LIMIT -1) AS some
WHERE texts.account_id = some.account AND texts.id = some.wanted AND texts.status = :before
    AND texts.attempts = :tried AND texts.settled_at IS NULL
"""

INSERT_RESULTS: Final = """
INSERT INTO text_results (account_id, id, created_at, updated_at, text_id, kind, code)
SELECT :account_id, substr(:results, key * 16 + 1, 16), :now, :now, substr(:texts, key * 16 + 1, 16), :kind, :code
FROM json_each(:rows)
"""

STEP_ENVELOPES: Final = """
UPDATE envelopes SET status = :status, reason = :reason, next_at = some.next_at, updated_at = :now,
    retry_attempts = :retries, completed_at = CASE WHEN :status IN ('complete', 'incomplete') THEN :now END,
    hold_reason = NULL, hold_until = NULL
FROM (SELECT :account_id AS account, substr(:envelopes, key * 16 + 1, 16) AS wanted, value AS next_at
      FROM json_each(:rows) LIMIT -1) AS some
WHERE envelopes.account_id = some.account AND envelopes.id = some.wanted
"""
