-- Few payments are held, and whoever watches asks for them among all the others.
CREATE INDEX payment_held ON payment (changed_ms) WHERE hold IS NOT NULL;
