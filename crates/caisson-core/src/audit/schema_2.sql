-- When it happened, for retention and for questions about a time: read from the entry, so that it is covered by its hash.
ALTER TABLE entries ADD COLUMN at INTEGER GENERATED ALWAYS AS (entry ->> '$.at') VIRTUAL;

CREATE INDEX entries_by_time ON entries (at);
