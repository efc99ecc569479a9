-- Payments that leave by the operator's policy take with them what is never removed otherwise: `leaving` names the one
-- that is leaving, within the transaction that removes it.
CREATE TABLE leaving (
    payment BIGINT PRIMARY KEY REFERENCES payment (seq)
);

CREATE FUNCTION walnut_statement_remains() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (
        SELECT 1 FROM leaving JOIN attempt ON attempt.payment = leaving.payment WHERE attempt.trade_no = OLD.trade_no
    ) THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'a statement leaves with its payment alone';
END $$;
CREATE FUNCTION walnut_history_remains() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM leaving WHERE payment = OLD.payment) THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'history leaves with its payment alone';
END $$;

DROP TRIGGER statement_stays ON statement;
CREATE TRIGGER statement_stays BEFORE UPDATE ON statement FOR EACH ROW EXECUTE FUNCTION walnut_stays();
CREATE TRIGGER statement_remains BEFORE DELETE ON statement FOR EACH ROW EXECUTE FUNCTION walnut_statement_remains();
DROP TRIGGER history_stays ON history;
CREATE TRIGGER history_stays BEFORE UPDATE ON history FOR EACH ROW EXECUTE FUNCTION walnut_stays();
CREATE TRIGGER history_remains BEFORE DELETE ON history FOR EACH ROW EXECUTE FUNCTION walnut_history_remains();

-- Failed payments leave sooner than others, and are looked for by themselves.
CREATE INDEX payment_failed ON payment (changed_ms, seq) WHERE state = 'FAIL';
-- Whatever leaves is looked for in all that may refer to it.
CREATE INDEX history_statement ON history (statement) WHERE statement IS NOT NULL;
CREATE INDEX idempotency_payment ON idempotency (payment);
CREATE INDEX refund_trade ON refund (trade_no);

-- A key is found by the payment's own fields, so it needs no reference that would be looked for in all keys.
ALTER TABLE field_key DROP CONSTRAINT field_key_payment_fkey;
