-- The domains' homes: the bytes of each path below `.payment`. A home's version grows with every change of it.
CREATE TABLE home (
    domain  TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL
);
CREATE TABLE home_file (
    domain     TEXT COLLATE "C" NOT NULL REFERENCES home (domain),
    path       TEXT COLLATE "C" NOT NULL,
    bytes      BYTEA NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (domain, path)
);

-- What all hosts of this store agree on.
CREATE TABLE setting (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);
