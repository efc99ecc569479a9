-- What was refused, and what was changed beside payments, which have a history of their own.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
    who     TEXT NOT NULL,
    key     TEXT,                -- the id of the caller's key
    domain  TEXT,                -- whose affair it is, besides the operator's
    test    INTEGER NOT NULL CHECK (test IN (0, 1)),
    source  TEXT,                -- the address that it came from
    what    TEXT NOT NULL,
    about   TEXT NOT NULL,
    status  INTEGER NOT NULL,
    code    TEXT NOT NULL,
    times   INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_refused ON audit (refused, seq);
CREATE INDEX audit_domain ON audit (domain, seq);
