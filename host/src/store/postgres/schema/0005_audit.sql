-- What was refused, and what was changed beside payments, which have a history of their own.
CREATE TABLE audit (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    refused BOOLEAN NOT NULL,
    who     TEXT COLLATE "C" NOT NULL,
    key     TEXT COLLATE "C",                -- the id of the caller's key
    domain  TEXT COLLATE "C",                -- whose affair it is, besides the operator's
    test    BOOLEAN NOT NULL,
    source  TEXT COLLATE "C",                -- the address that it came from
    what    TEXT COLLATE "C" NOT NULL,
    about   TEXT COLLATE "C" NOT NULL,
    status  BIGINT NOT NULL,
    code    TEXT COLLATE "C" NOT NULL,
    times   BIGINT NOT NULL
);
CREATE INDEX audit_refused ON audit (refused, seq);
CREATE INDEX audit_domain ON audit (domain, seq);
