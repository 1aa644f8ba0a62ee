-- What installed servers say of themselves (pins): asked once, and answered from here on without starting them.
CREATE TABLE pins (
    server     TEXT NOT NULL,
    definition TEXT NOT NULL, -- SHA-256 of what runs, so that nothing is said of what has changed since
    what       TEXT NOT NULL,
    said       TEXT NOT NULL, -- JSON
    PRIMARY KEY (server, definition, what)
) STRICT, WITHOUT ROWID;
