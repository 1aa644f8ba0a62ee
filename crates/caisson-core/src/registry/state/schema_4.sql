-- What a person has allowed for longer than once: one client, one tool, as it was defined then.
CREATE TABLE grants (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    client     TEXT NOT NULL,
    server     TEXT NOT NULL,
    tool       TEXT NOT NULL,
    definition TEXT, -- the digest of the tool's definition
    granted_at INTEGER NOT NULL, -- seconds since 1970
    until      INTEGER
) STRICT;
