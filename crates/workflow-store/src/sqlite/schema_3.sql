-- Format 3. Notices of events, for each target: how often they were claimed, and when the claim ends; NULL once they
-- are settled.
CREATE TABLE notice (
    run INTEGER NOT NULL,
    event INTEGER NOT NULL,
    target TEXT NOT NULL,
    tries INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (run, event, target)
) STRICT, WITHOUT ROWID;
