-- Sessions that were ended before their time: whoever signed out.
CREATE TABLE ended_session (
    id       BLOB PRIMARY KEY CHECK (length(id) = 32),    -- the digest of what the session says
    until_ms INTEGER NOT NULL                             -- when it would have ended by itself
) STRICT;
CREATE INDEX ended_session_until ON ended_session (until_ms);
