-- Format 1. Times are nanoseconds since 1970. A format is never changed, only followed by another.

-- The stores that have this database open and drive runs. A row is dead when its time has come, or when
-- nobody has the system's lock on its file.
CREATE TABLE holder (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    lock TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

-- What runs were started with: JSON.
CREATE TABLE bundle (
    key INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

-- Changes with status, wait, controls that were obeyed, and lease; never with an event alone. What is beside
-- the head is what it is looked for by.
CREATE TABLE run (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    wakes INTEGER,
    bundle INTEGER NOT NULL REFERENCES bundle (key),
    head TEXT NOT NULL,
    obeyed INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    holder INTEGER
) STRICT;
CREATE INDEX run_by_time ON run (created_at, id);
CREATE INDEX run_by_status ON run (status, created_at, id);
CREATE INDEX run_by_workflow ON run (workflow, created_at, id);
CREATE INDEX run_by_bundle ON run (bundle);
CREATE INDEX run_by_end ON run (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX run_by_holder ON run (holder) WHERE holder IS NOT NULL;
-- `wakes`: from when on the run goes on by itself.
CREATE INDEX run_claimable ON run (wakes, created_at) WHERE holder IS NULL AND wakes IS NOT NULL;

-- A row is what was appended at once, one event a line; `number` is that of the last. Rows are only ever added
-- at the end of the table.
CREATE TABLE event (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_number ON event (run, number);

-- The same for output entries. `entries` is how many there were, those that were dropped included.
CREATE TABLE output (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX output_by_number ON output (run, number, size);

CREATE TABLE control (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    control TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- `epoch`: the last one that was given out, so that no two leases are ever alike. `signal`: changes when a
-- control was asked for, or a run can be claimed.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sequence VALUES ('epoch', 0), ('signal', 0);
