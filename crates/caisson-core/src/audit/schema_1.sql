-- The record of what happened. Rows are added at the end, and the oldest taken away, and nothing else.
CREATE TABLE IF NOT EXISTS entries (
    seq    INTEGER PRIMARY KEY,
    server TEXT,
    entry  TEXT NOT NULL, -- JSON
    hash   BLOB NOT NULL CHECK (length(hash) = 32) -- SHA-256 of the hash before it and of `entry`
) STRICT;

CREATE INDEX IF NOT EXISTS entries_of_a_server ON entries (server, seq);

-- The hash of the last row that was taken away: where the first that is left follows from.
CREATE TABLE IF NOT EXISTS anchor (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

INSERT INTO anchor (one, hash) VALUES (1, zeroblob(32)) ON CONFLICT DO NOTHING;
