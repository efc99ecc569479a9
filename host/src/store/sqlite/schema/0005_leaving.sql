-- Payments that leave by the operator's policy take with them what is never removed otherwise: `leaving` names the one
-- that is leaving, within the transaction that removes it.
CREATE TABLE leaving (
    payment INTEGER PRIMARY KEY REFERENCES payment (seq)
) STRICT;

DROP TRIGGER statement_remains;
CREATE TRIGGER statement_remains BEFORE DELETE ON statement
WHEN NOT EXISTS (
    SELECT 1 FROM leaving JOIN attempt ON attempt.payment = leaving.payment WHERE attempt.trade_no = OLD.trade_no
)
BEGIN SELECT RAISE(ABORT, 'a statement leaves with its payment alone'); END;
DROP TRIGGER history_remains;
CREATE TRIGGER history_remains BEFORE DELETE ON history
WHEN NOT EXISTS (SELECT 1 FROM leaving WHERE payment = OLD.payment)
BEGIN SELECT RAISE(ABORT, 'history leaves with its payment alone'); END;

-- Failed payments leave sooner than others, and are looked for by themselves.
CREATE INDEX payment_failed ON payment (changed_ms, seq) WHERE state = 'FAIL';
-- Whatever leaves is looked for in all that may refer to it.
CREATE INDEX history_statement ON history (statement) WHERE statement IS NOT NULL;
CREATE INDEX idempotency_payment ON idempotency (payment);
CREATE INDEX refund_trade ON refund (trade_no);

-- A key is found by the payment's own fields, so it needs no reference that would be looked for in all keys.
CREATE TABLE field_key_new (
    key     INTEGER NOT NULL,
    payment INTEGER NOT NULL,
    PRIMARY KEY (key, payment)
) STRICT, WITHOUT ROWID;
INSERT INTO field_key_new (key, payment) SELECT key, payment FROM field_key ORDER BY key, payment;
DROP TABLE field_key;
ALTER TABLE field_key_new RENAME TO field_key;
