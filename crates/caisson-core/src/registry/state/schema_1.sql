-- Single values: the random name of this state (home_id), and what has no table of its own.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('home_id', lower(hex(randomblob(8))));

-- Bearer tokens (gate). Of the token itself only the SHA-256 is kept. Times are seconds since 1970.
CREATE TABLE tokens (
    id        TEXT PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    subject   TEXT NOT NULL,
    scope     TEXT NOT NULL, -- JSON
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER,
    revoked   INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What secrets are called (secrets). Their values stand in the OS keychain alone, which cannot be listed portably.
CREATE TABLE secrets (
    server TEXT NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (server, name)
) STRICT, WITHOUT ROWID;

-- Clients' files Caisson has written to (clients).
CREATE TABLE client_files (
    file     TEXT PRIMARY KEY,
    written  TEXT NOT NULL, -- SHA-256 of what Caisson wrote last
    original TEXT,          -- backup of the file as it was before; none: there was no file
    clean    INTEGER NOT NULL CHECK (clean IN (0, 1)) -- whether the original has no entry of Caisson's
) STRICT, WITHOUT ROWID;

-- Caisson's entries in those files, each called as its server is.
CREATE TABLE client_entries (
    file   TEXT NOT NULL,
    server TEXT NOT NULL,
    PRIMARY KEY (file, server)
) STRICT, WITHOUT ROWID;
