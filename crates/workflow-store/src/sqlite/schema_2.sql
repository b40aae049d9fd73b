-- Format 2. How many holders of a run in a row died before they stored an event, and the number of its last event
-- then: another last event begins the count anew.
ALTER TABLE run ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN died_at INTEGER NOT NULL DEFAULT 0;

-- `store`: tells this database from all others, wherever it is copied or checked out.
INSERT INTO sequence VALUES ('store', random() & 9223372036854775807);
