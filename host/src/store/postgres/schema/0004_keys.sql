-- Keys have names, ends, and successors. What a key of a domain may do is its role: those that there are may do everything.
ALTER TABLE api_key ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN refunds BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE api_key ADD COLUMN expires_ms BIGINT NOT NULL DEFAULT 0;    -- 0: never
ALTER TABLE api_key ADD COLUMN used_ms BIGINT NOT NULL DEFAULT 0;       -- 0: not yet
ALTER TABLE api_key ADD COLUMN successor TEXT COLLATE "C";
UPDATE api_key SET role = 'owner' WHERE role = 'domain';
