-- Keys have names, ends, and successors. What a key of a domain may do is its role: those that there are may do everything.
ALTER TABLE api_key ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN refunds INTEGER NOT NULL DEFAULT 1 CHECK (refunds IN (0, 1));
ALTER TABLE api_key ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;    -- 0: never
ALTER TABLE api_key ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;       -- 0: not yet
ALTER TABLE api_key ADD COLUMN successor TEXT;
UPDATE api_key SET role = 'owner' WHERE role = 'domain';
