-- Times are milliseconds since 1970, 0 for what has not happened. Money is in minor units.
-- `seq` is the short key that rows refer to; ids and trade numbers are 32 hex digits.
-- A check against three or more words says OR: for IN, SQLite makes a temporary table at every write.

CREATE TABLE domain (
    name       TEXT PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    domain     TEXT REFERENCES domain (name),    -- NULL: root
    role       TEXT NOT NULL,
    test       INTEGER NOT NULL CHECK (test IN (0, 1)),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_key_domain ON api_key (domain);

CREATE TABLE provider (
    digest      BLOB PRIMARY KEY CHECK (length(digest) = 32),
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    manifest    TEXT NOT NULL,
    approved_ms INTEGER NOT NULL,
    current     INTEGER NOT NULL CHECK (current IN (0, 1)),
    shipped     INTEGER NOT NULL CHECK (shipped IN (0, 1))   -- came with a release of the host
) STRICT;
CREATE UNIQUE INDEX provider_current ON provider (name) WHERE current = 1;

-- Apart from `provider`, since changing a row writes all of it again.
CREATE TABLE provider_bytes (
    digest BLOB PRIMARY KEY REFERENCES provider (digest),
    bytes  BLOB NOT NULL
) STRICT;

-- Callback contents, each once, and how many payments are bound to it. The count stands apart from the
-- bytes for the same reason.
CREATE TABLE content (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    len    INTEGER NOT NULL,
    uses   INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0)
) STRICT;
CREATE TABLE content_bytes (
    digest BLOB PRIMARY KEY REFERENCES content (digest),
    bytes  BLOB NOT NULL
) STRICT;

-- `domain` does not refer to the table: payments stay when a domain goes.
CREATE TABLE payment (
    seq                   INTEGER PRIMARY KEY,
    id                    TEXT NOT NULL UNIQUE CHECK (length(id) = 32),
    domain                TEXT NOT NULL CHECK (domain <> ''),
    domain_id             TEXT NOT NULL,
    test                  INTEGER NOT NULL CHECK (test IN (0, 1)),
    brief                 TEXT NOT NULL,
    fee_minor             INTEGER NOT NULL CHECK (fee_minor >= 0),
    currency              TEXT NOT NULL,
    price_minor           INTEGER,
    state                 TEXT NOT NULL CHECK (state = 'NEW' OR state = 'WAIT' OR state = 'OK' OR state = 'FAIL'),
    fail_why              TEXT,
    hold                  TEXT,                  -- JSON
    late                  INTEGER NOT NULL CHECK (late IN (0, 1)),
    refunded_minor        INTEGER NOT NULL CHECK (refunded_minor >= 0),
    created_ms            INTEGER NOT NULL,
    changed_ms            INTEGER NOT NULL,
    sent_ms               INTEGER NOT NULL,
    closed_ms             INTEGER NOT NULL,
    expires_ms            INTEGER NOT NULL,
    pay_type              TEXT,
    target                TEXT,
    presentation          TEXT,
    presentation_content  TEXT,
    presentation_until_ms INTEGER,
    buyer_tp              INTEGER NOT NULL,
    buyer_id              TEXT NOT NULL,
    buyer_name            TEXT NOT NULL,
    callback_name         TEXT,
    callback_kind         TEXT,
    callback_digest       BLOB REFERENCES content (digest),
    callback_len          INTEGER,
    applied_ms            INTEGER NOT NULL,
    applied_result        TEXT,
    offers                TEXT NOT NULL,         -- JSON
    platforms             TEXT NOT NULL,         -- JSON
    meta                  TEXT NOT NULL,         -- JSON
    revision              INTEGER NOT NULL,
    ends_ms               INTEGER NOT NULL       -- when the deadline alone ends it; 0 while it does not
) STRICT;
-- What owners ask for: the newest or last changed, of a state, a buyer, a brief; root asks without a domain.
CREATE INDEX payment_created ON payment (domain, created_ms);
CREATE INDEX payment_changed ON payment (domain, changed_ms);
CREATE INDEX payment_state_created ON payment (domain, state, created_ms);
CREATE INDEX payment_state_changed ON payment (domain, state, changed_ms);
CREATE INDEX payment_brief ON payment (domain, brief, created_ms);
CREATE INDEX payment_buyer_id ON payment (domain, buyer_id, created_ms) WHERE buyer_id <> '';
CREATE INDEX payment_buyer_name ON payment (domain, buyer_name, created_ms) WHERE buyer_name <> '';
CREATE INDEX payment_all_created ON payment (created_ms);
CREATE INDEX payment_all_changed ON payment (changed_ms);
CREATE INDEX payment_expiry ON payment (ends_ms) WHERE ends_ms > 0;

CREATE TABLE attempt (
    trade_no         TEXT PRIMARY KEY CHECK (length(trade_no) = 32),
    payment          INTEGER NOT NULL REFERENCES payment (seq),
    number           INTEGER NOT NULL,
    domain           TEXT NOT NULL,              -- the payment's: attempts are asked about by domains in turn
    pay_type         TEXT NOT NULL,
    target_platform  TEXT NOT NULL,
    target_name      TEXT NOT NULL,
    target_version   INTEGER NOT NULL,
    provider         BLOB NOT NULL,
    state            TEXT NOT NULL CHECK (
        state = 'INTENT' OR state = 'WAIT' OR state = 'REFUSED' OR state = 'OK' OR state = 'FAIL'
    ),
    fail_why         TEXT,
    created_ms       INTEGER NOT NULL,
    expires_ms       INTEGER NOT NULL,
    payable_until_ms INTEGER NOT NULL,
    client_ip        TEXT,
    args             TEXT NOT NULL,              -- JSON
    notify_url       TEXT NOT NULL,
    ending           TEXT,                       -- JSON
    paid_minor       INTEGER,
    notes            TEXT NOT NULL,              -- JSON
    transaction_id   TEXT,
    fence            INTEGER NOT NULL,
    leased_until_ms  INTEGER NOT NULL,
    ask_at_ms        INTEGER NOT NULL,
    asks             INTEGER NOT NULL,
    asked_ms         INTEGER NOT NULL,
    last_error       TEXT,
    UNIQUE (payment, number)
) STRICT;
-- An attempt is to be asked about when its time has come and nobody works on it.
CREATE INDEX attempt_ask ON attempt (max(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
CREATE INDEX attempt_turn ON attempt (domain, target_platform, max(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
-- A platform's bill of a day is compared with what one account was paid then.
CREATE INDEX attempt_account ON attempt (domain, target_platform, target_name, created_ms, trade_no) WHERE state = 'OK';

CREATE TABLE refund (
    refund_no       TEXT PRIMARY KEY CHECK (length(refund_no) = 32),
    payment         INTEGER NOT NULL REFERENCES payment (seq),
    trade_no        TEXT NOT NULL REFERENCES attempt (trade_no),
    amount_minor    INTEGER NOT NULL CHECK (amount_minor > 0),
    reason          TEXT NOT NULL,
    cause           TEXT NOT NULL CHECK (cause = 'ASKED' OR cause = 'EXTRA' OR cause = 'RESOLVED'),
    state           TEXT NOT NULL CHECK (
        state = 'INTENT' OR state = 'WAIT' OR state = 'STUCK' OR state = 'OK' OR state = 'FAIL'
    ),
    created_ms      INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    transaction_id  TEXT,
    fence           INTEGER NOT NULL,
    leased_until_ms INTEGER NOT NULL,
    ask_at_ms       INTEGER NOT NULL,
    asks            INTEGER NOT NULL,
    last_error      TEXT
) STRICT;
CREATE INDEX refund_payment ON refund (payment);
CREATE INDEX refund_given ON refund (created_ms, refund_no) WHERE state = 'OK';
CREATE INDEX refund_ask ON refund (max(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;

-- Evidence: what platforms stated. Never changed, never removed.
CREATE TABLE statement (
    digest   BLOB PRIMARY KEY CHECK (length(digest) = 32),
    trade_no TEXT NOT NULL,
    scheme   TEXT NOT NULL,
    claim    TEXT NOT NULL,
    text     BLOB NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;
CREATE TRIGGER statement_stays BEFORE UPDATE ON statement
BEGIN SELECT RAISE(ABORT, 'a statement is never changed'); END;
CREATE TRIGGER statement_remains BEFORE DELETE ON statement
BEGIN SELECT RAISE(ABORT, 'a statement is never removed'); END;

-- Clustered by payment: it is read and written one payment at a time.
CREATE TABLE history (
    payment    INTEGER NOT NULL REFERENCES payment (seq),
    line       INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    trade_no   TEXT,
    statement  BLOB REFERENCES statement (digest),
    detail     TEXT NOT NULL,                    -- JSON
    PRIMARY KEY (payment, line)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER history_stays BEFORE UPDATE ON history
BEGIN SELECT RAISE(ABORT, 'history is only appended to'); END;
CREATE TRIGGER history_remains BEFORE DELETE ON history
BEGIN SELECT RAISE(ABORT, 'history is only appended to'); END;

CREATE TABLE idempotency (
    domain     TEXT NOT NULL,
    verb       TEXT NOT NULL,
    key        TEXT NOT NULL,
    body       BLOB NOT NULL,
    payment    INTEGER NOT NULL REFERENCES payment (seq),
    made       TEXT,                             -- what was made besides the payment, such as a refund's number
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (domain, verb, key)
) STRICT, WITHOUT ROWID;

-- The outbox. `ready_ms` is when somebody may take the delivery: its time, or the end of a lease.
CREATE TABLE delivery (
    seq             INTEGER PRIMARY KEY,
    key             TEXT NOT NULL UNIQUE,
    payment         INTEGER NOT NULL UNIQUE REFERENCES payment (seq),
    domain          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state = 'DUE' OR state = 'LEASED' OR state = 'DONE' OR state = 'DEAD'),
    tries           INTEGER NOT NULL,
    fence           INTEGER NOT NULL,
    due_ms          INTEGER NOT NULL,
    leased_until_ms INTEGER NOT NULL,
    created_ms      INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    last_error      TEXT,
    log             TEXT NOT NULL,
    ready_ms        INTEGER GENERATED ALWAYS AS (
        CASE state WHEN 'DUE' THEN due_ms WHEN 'LEASED' THEN leased_until_ms END
    ) VIRTUAL
) STRICT;
CREATE INDEX delivery_ready ON delivery (ready_ms) WHERE ready_ms IS NOT NULL;
CREATE INDEX delivery_turn ON delivery (domain, ready_ms) WHERE ready_ms IS NOT NULL;
CREATE INDEX delivery_domain ON delivery (domain);

-- Test payments have a space of their own.
CREATE TABLE kv (
    seq     INTEGER PRIMARY KEY,
    domain  TEXT NOT NULL,
    test    INTEGER NOT NULL CHECK (test IN (0, 1)),
    key     TEXT NOT NULL,
    value   BLOB NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (domain, test, key)
) STRICT;
-- The last version that was given in the space (none is given twice), and the bytes of keys and values.
CREATE TABLE kv_space (
    domain  TEXT NOT NULL,
    test    INTEGER NOT NULL CHECK (test IN (0, 1)),
    version INTEGER NOT NULL,
    bytes   INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (domain, test)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payment (seq),
    domain  TEXT NOT NULL,
    name    TEXT NOT NULL,
    data    TEXT NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX event_payment ON event (payment);
