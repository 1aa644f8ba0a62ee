-- What a server said of itself: what was accepted, and what else it has said since.
CREATE TABLE reviewed (
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    digest   TEXT NOT NULL,
    said     TEXT NOT NULL, -- JSON
    standing TEXT NOT NULL, -- accepted, waiting, refused
    since    INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (server, kind, name, digest)
) STRICT;
-- What was heard of a server to its end: what it says beyond that is new.
CREATE TABLE heard (
    server TEXT NOT NULL,
    kind   TEXT NOT NULL,
    PRIMARY KEY (server, kind)
) STRICT;
