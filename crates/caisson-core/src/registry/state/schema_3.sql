-- What `caisson verify` found last of each server, and under which plan: whether it still holds is decided when it is shown.
CREATE TABLE verifications (
    server TEXT PRIMARY KEY NOT NULL,
    found  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
