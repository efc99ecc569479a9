-- Refunds are worked on by domains and platforms in turn, as attempts are asked about.
ALTER TABLE refund ADD COLUMN domain TEXT NOT NULL DEFAULT '';    -- the payment's
ALTER TABLE refund ADD COLUMN platform TEXT NOT NULL DEFAULT '';  -- the attempt's
UPDATE refund SET
    domain = (SELECT payment.domain FROM payment WHERE payment.seq = refund.payment),
    platform = (SELECT attempt.target_platform FROM attempt WHERE attempt.trade_no = refund.trade_no);
CREATE INDEX refund_turn ON refund (domain, platform, max(ask_at_ms, leased_until_ms)) WHERE ask_at_ms > 0;
