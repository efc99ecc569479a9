-- Payments by short values of what callers added: `key` is made of domain, path and value, and what it leads to is looked
-- at. The rows of payments that are there already are made by the program.
CREATE TABLE field_key (
    key     INTEGER NOT NULL,
    payment INTEGER NOT NULL REFERENCES payment (seq),
    PRIMARY KEY (key, payment)
) STRICT, WITHOUT ROWID;
