-- Times are milliseconds since 1970, 0 for what has not happened. Money is in minor units.
-- `seq` is the short key that rows refer to; ids and trade numbers are 32 hex digits.
-- Texts are compared by their bytes, whatever the database's own order is.

CREATE TABLE domain (
    name       TEXT COLLATE "C" PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    web        TEXT COLLATE "C" NOT NULL DEFAULT '[]'    -- JSON: where its callbacks may send requests to
);

CREATE TABLE api_key (
    id         TEXT COLLATE "C" PRIMARY KEY,
    domain     TEXT COLLATE "C" REFERENCES domain (name),    -- NULL: root
    role       TEXT COLLATE "C" NOT NULL,
    test       BOOLEAN NOT NULL,
    hash       BYTEA NOT NULL CHECK (length(hash) = 32),
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_key_domain ON api_key (domain);

CREATE TABLE provider (
    digest      BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    name        TEXT COLLATE "C" NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    manifest    TEXT COLLATE "C" NOT NULL,
    approved_ms BIGINT NOT NULL,
    current     BOOLEAN NOT NULL,
    shipped     BOOLEAN NOT NULL    -- came with a release of the host
);
CREATE UNIQUE INDEX provider_current ON provider (name) WHERE current;
CREATE TABLE provider_bytes (
    digest BYTEA PRIMARY KEY REFERENCES provider (digest),
    bytes  BYTEA NOT NULL
);

-- Callback contents, each once. How many payments are bound to one is counted when somebody asks: a number in its row
-- would make all who create payments with it wait for each other.
CREATE TABLE content (
    digest BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    len    BIGINT NOT NULL
);
CREATE TABLE content_bytes (
    digest BYTEA PRIMARY KEY REFERENCES content (digest),
    bytes  BYTEA NOT NULL
);

-- `domain` does not refer to the table: payments stay when a domain goes. Nor does `callback_digest`: a content is looked
-- up in the same transaction and never removed, and each reference would write into its row.
CREATE TABLE payment (
    seq                   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                    TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(id) = 32),
    domain                TEXT COLLATE "C" NOT NULL CHECK (domain <> ''),
    domain_id             TEXT COLLATE "C" NOT NULL,
    test                  BOOLEAN NOT NULL,
    brief                 TEXT COLLATE "C" NOT NULL,
    fee_minor             BIGINT NOT NULL CHECK (fee_minor >= 0),
    currency              TEXT COLLATE "C" NOT NULL,
    price_minor           BIGINT,
    state                 TEXT COLLATE "C" NOT NULL CHECK (state IN ('NEW', 'WAIT', 'OK', 'FAIL')),
    fail_why              TEXT COLLATE "C",
    hold                  TEXT COLLATE "C",             -- JSON
    late                  BOOLEAN NOT NULL,
    refunded_minor        BIGINT NOT NULL CHECK (refunded_minor >= 0),
    created_ms            BIGINT NOT NULL,
    changed_ms            BIGINT NOT NULL,
    sent_ms               BIGINT NOT NULL,
    closed_ms             BIGINT NOT NULL,
    expires_ms            BIGINT NOT NULL,
    pay_type              TEXT COLLATE "C",
    target                TEXT COLLATE "C",
    presentation          TEXT COLLATE "C",
    presentation_content  TEXT COLLATE "C",
    presentation_until_ms BIGINT,
    buyer_tp              BIGINT NOT NULL,
    buyer_id              TEXT COLLATE "C" NOT NULL,
    buyer_name            TEXT COLLATE "C" NOT NULL,
    callback_name         TEXT COLLATE "C",
    callback_kind         TEXT COLLATE "C",
    callback_digest       BYTEA,
    callback_len          BIGINT,
    applied_ms            BIGINT NOT NULL,
    applied_result        TEXT COLLATE "C",
    offers                TEXT COLLATE "C" NOT NULL,    -- JSON
    platforms             TEXT COLLATE "C" NOT NULL,    -- JSON
    meta                  TEXT COLLATE "C" NOT NULL,    -- JSON
    revision              BIGINT NOT NULL,
    ends_ms               BIGINT NOT NULL               -- when the deadline alone ends it; 0 while it does not
);
-- What owners ask for: the newest or last changed, of a state, a buyer, a brief; root asks without a domain. `seq` makes
-- the order total.
CREATE INDEX payment_created ON payment (domain, created_ms, seq);
CREATE INDEX payment_changed ON payment (domain, changed_ms, seq);
CREATE INDEX payment_state_created ON payment (domain, state, created_ms, seq);
CREATE INDEX payment_state_changed ON payment (domain, state, changed_ms, seq);
CREATE INDEX payment_brief ON payment (domain, brief, created_ms, seq);
CREATE INDEX payment_buyer_id ON payment (domain, buyer_id, created_ms, seq) WHERE buyer_id <> '';
CREATE INDEX payment_buyer_name ON payment (domain, buyer_name, created_ms, seq) WHERE buyer_name <> '';
CREATE INDEX payment_all_created ON payment (created_ms, seq);
CREATE INDEX payment_all_changed ON payment (changed_ms, seq);
CREATE INDEX payment_expiry ON payment (ends_ms) WHERE ends_ms > 0;
CREATE INDEX payment_content ON payment (callback_digest) WHERE callback_digest IS NOT NULL;

-- Payments by short values of what callers added: `key` is made of domain, path and value, and what it leads to is looked
-- at.
CREATE TABLE field_key (
    key     BIGINT NOT NULL,
    payment BIGINT NOT NULL REFERENCES payment (seq),
    PRIMARY KEY (key, payment)
);

-- The hosts that live, and when each said so last, by the server's clock.
CREATE TABLE host (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    beaten_at TIMESTAMPTZ NOT NULL
);

-- A lease names the host that took it, as every connection of a host says (`SET walnut.host`).
CREATE FUNCTION walnut_host() RETURNS BIGINT LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('walnut.host', true), '')::bigint $$;
CREATE FUNCTION walnut_lease_names_host() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.host := nullif(current_setting('walnut.host', true), '')::bigint; RETURN NEW; END $$;

CREATE TABLE attempt (
    trade_no         TEXT COLLATE "C" PRIMARY KEY CHECK (length(trade_no) = 32),
    payment          BIGINT NOT NULL REFERENCES payment (seq),
    number           BIGINT NOT NULL,
    domain           TEXT COLLATE "C" NOT NULL,         -- the payment's: attempts are asked about by domains in turn
    pay_type         TEXT COLLATE "C" NOT NULL,
    target_platform  TEXT COLLATE "C" NOT NULL,
    target_name      TEXT COLLATE "C" NOT NULL,
    target_version   BIGINT NOT NULL,
    provider         BYTEA NOT NULL,
    state            TEXT COLLATE "C" NOT NULL CHECK (state IN ('INTENT', 'WAIT', 'REFUSED', 'OK', 'FAIL')),
    fail_why         TEXT COLLATE "C",
    created_ms       BIGINT NOT NULL,
    expires_ms       BIGINT NOT NULL,
    payable_until_ms BIGINT NOT NULL,
    client_ip        TEXT COLLATE "C",
    args             TEXT COLLATE "C" NOT NULL,         -- JSON
    notify_url       TEXT COLLATE "C" NOT NULL,
    ending           TEXT COLLATE "C",                  -- JSON
    paid_minor       BIGINT,
    notes            TEXT COLLATE "C" NOT NULL,         -- JSON
    transaction_id   TEXT COLLATE "C",
    fence            BIGINT NOT NULL,
    leased_until_ms  BIGINT NOT NULL,
    ask_at_ms        BIGINT NOT NULL,
    asks             BIGINT NOT NULL,
    asked_ms         BIGINT NOT NULL,
    last_error       TEXT COLLATE "C",
    host             BIGINT DEFAULT walnut_host(),
    UNIQUE (payment, number)
);
-- An attempt is to be asked about when its time has come and nobody works on it.
CREATE INDEX attempt_ask ON attempt (greatest(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
CREATE INDEX attempt_turn ON attempt (domain, target_platform, greatest(ask_at_ms, leased_until_ms))
    WHERE ask_at_ms > 0;
-- A platform's bill of a day is compared with what one account was paid then.
CREATE INDEX attempt_account ON attempt (domain, target_platform, target_name, created_ms, trade_no) WHERE state = 'OK';
CREATE TRIGGER attempt_leased BEFORE UPDATE ON attempt FOR EACH ROW
    WHEN (NEW.fence > OLD.fence) EXECUTE FUNCTION walnut_lease_names_host();

CREATE TABLE refund (
    refund_no       TEXT COLLATE "C" PRIMARY KEY CHECK (length(refund_no) = 32),
    payment         BIGINT NOT NULL REFERENCES payment (seq),
    trade_no        TEXT COLLATE "C" NOT NULL REFERENCES attempt (trade_no),
    domain          TEXT COLLATE "C" NOT NULL,          -- the payment's
    platform        TEXT COLLATE "C" NOT NULL,          -- the attempt's
    amount_minor    BIGINT NOT NULL CHECK (amount_minor > 0),
    reason          TEXT COLLATE "C" NOT NULL,
    cause           TEXT COLLATE "C" NOT NULL CHECK (cause IN ('ASKED', 'EXTRA', 'RESOLVED')),
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('INTENT', 'WAIT', 'STUCK', 'OK', 'FAIL')),
    created_ms      BIGINT NOT NULL,
    ended_ms        BIGINT NOT NULL,
    transaction_id  TEXT COLLATE "C",
    fence           BIGINT NOT NULL,
    leased_until_ms BIGINT NOT NULL,
    ask_at_ms       BIGINT NOT NULL,
    asks            BIGINT NOT NULL,
    last_error      TEXT COLLATE "C",
    host            BIGINT DEFAULT walnut_host()
);
CREATE INDEX refund_payment ON refund (payment);
CREATE INDEX refund_given ON refund (created_ms, refund_no) WHERE state = 'OK';
CREATE INDEX refund_ask ON refund (greatest(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
CREATE INDEX refund_turn ON refund (domain, platform, greatest(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
CREATE TRIGGER refund_leased BEFORE UPDATE ON refund FOR EACH ROW
    WHEN (NEW.fence > OLD.fence) EXECUTE FUNCTION walnut_lease_names_host();

-- What is only appended to.
CREATE FUNCTION walnut_stays() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is never changed', TG_TABLE_NAME; END $$;

-- Evidence: what platforms stated. Never changed, never removed.
CREATE TABLE statement (
    digest   BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    trade_no TEXT COLLATE "C" NOT NULL,
    scheme   TEXT COLLATE "C" NOT NULL,
    claim    TEXT COLLATE "C" NOT NULL,
    text     BYTEA NOT NULL,
    at_ms    BIGINT NOT NULL
);
CREATE TRIGGER statement_stays BEFORE UPDATE OR DELETE ON statement FOR EACH ROW EXECUTE FUNCTION walnut_stays();

CREATE TABLE history (
    payment    BIGINT NOT NULL REFERENCES payment (seq),
    line       BIGINT NOT NULL,
    at_ms      BIGINT NOT NULL,
    cause      TEXT COLLATE "C" NOT NULL,
    from_state TEXT COLLATE "C",
    to_state   TEXT COLLATE "C" NOT NULL,
    trade_no   TEXT COLLATE "C",
    statement  BYTEA REFERENCES statement (digest),
    detail     TEXT COLLATE "C" NOT NULL,               -- JSON
    PRIMARY KEY (payment, line)
);
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE ON history FOR EACH ROW EXECUTE FUNCTION walnut_stays();

CREATE TABLE idempotency (
    domain     TEXT COLLATE "C" NOT NULL,
    verb       TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    body       BYTEA NOT NULL,
    payment    BIGINT NOT NULL REFERENCES payment (seq),
    made       TEXT COLLATE "C",                        -- what was made besides the payment, such as a refund's number
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (domain, verb, key)
);

-- The outbox. `ready_ms` is when somebody may take the delivery: its time, or the end of a lease.
CREATE TABLE delivery (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             TEXT COLLATE "C" NOT NULL UNIQUE,
    payment         BIGINT NOT NULL UNIQUE REFERENCES payment (seq),
    domain          TEXT COLLATE "C" NOT NULL,
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('DUE', 'LEASED', 'DONE', 'DEAD')),
    tries           BIGINT NOT NULL,
    fence           BIGINT NOT NULL,
    due_ms          BIGINT NOT NULL,
    leased_until_ms BIGINT NOT NULL,
    created_ms      BIGINT NOT NULL,
    ended_ms        BIGINT NOT NULL,
    last_error      TEXT COLLATE "C",
    log             TEXT COLLATE "C" NOT NULL,
    host            BIGINT,
    ready_ms        BIGINT GENERATED ALWAYS AS (
        CASE state WHEN 'DUE' THEN due_ms WHEN 'LEASED' THEN leased_until_ms END
    ) STORED
);
CREATE INDEX delivery_ready ON delivery (ready_ms) WHERE ready_ms IS NOT NULL;
CREATE INDEX delivery_turn ON delivery (domain, ready_ms) WHERE ready_ms IS NOT NULL;
CREATE INDEX delivery_domain ON delivery (domain, seq);
CREATE INDEX delivery_dead ON delivery (domain, seq) WHERE state = 'DEAD';
CREATE TRIGGER delivery_leased BEFORE UPDATE ON delivery FOR EACH ROW
    WHEN (NEW.fence > OLD.fence) EXECUTE FUNCTION walnut_lease_names_host();

-- Test payments have a space of their own.
CREATE TABLE kv (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain  TEXT COLLATE "C" NOT NULL,
    test    BOOLEAN NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    value   BYTEA NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (domain, test, key)
);
-- The last version that was given in the space (none is given twice), and the bytes of keys and values.
CREATE TABLE kv_space (
    domain  TEXT COLLATE "C" NOT NULL,
    test    BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    bytes   BIGINT NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (domain, test)
);

CREATE TABLE event (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment BIGINT NOT NULL REFERENCES payment (seq),
    domain  TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    data    TEXT COLLATE "C" NOT NULL,
    at_ms   BIGINT NOT NULL
);
CREATE INDEX event_payment ON event (payment);
