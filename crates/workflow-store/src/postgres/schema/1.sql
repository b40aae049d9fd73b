-- `@.` stands for the schema.

-- The one clock that leases go by. A test may replace it.
CREATE FUNCTION @.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';

-- No two leases have the same epoch, not even of runs that bear the same id one after the other.
CREATE SEQUENCE @.epoch;

-- Moves on when a control was requested or a run became free: what those look at who cannot listen.
CREATE SEQUENCE @.signal;

-- One row per opened store: its heartbeat. It stays until no run refers to it any more.
CREATE TABLE @.worker (
    worker_id uuid PRIMARY KEY,
    name text NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE @.bundle (
    hash text PRIMARY KEY,
    body text NOT NULL
);

-- Keys grow with time, so `event` and `chunk` can be partitioned by ranges of them.
CREATE TABLE @.run (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text COLLATE "C" NOT NULL UNIQUE,
    workflow text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    created bigint NOT NULL,                  -- nanoseconds since 1970, as are `ended` and `wakes`
    ended bigint,
    wakes bigint,                             -- from when on it goes on by itself
    head text NOT NULL,                       -- JSON, the whole of it
    last_event bigint NOT NULL,
    controls text[] NOT NULL DEFAULT '{}',    -- what was asked: the first has the number 1
    obeyed bigint NOT NULL DEFAULT 0,         -- the highest control that an event obeys
    epoch bigint NOT NULL,
    owner uuid                                -- the worker that holds it, or held it when that died
) WITH (fillfactor = 70);                     -- room for the updates of appends, which touch no index

CREATE INDEX run_free ON @.run (wakes) WHERE owner IS NULL AND wakes IS NOT NULL;
CREATE INDEX run_owner ON @.run (owner) WHERE owner IS NOT NULL;
CREATE INDEX run_asked ON @.run (owner) WHERE owner IS NOT NULL AND cardinality(controls) > obeyed;
CREATE INDEX run_list ON @.run (created DESC, run_id DESC);
CREATE INDEX run_workflow ON @.run (workflow, created DESC, run_id DESC);
CREATE INDEX run_unfinished ON @.run (created DESC, run_id DESC)
    WHERE status IN ('pending', 'running', 'paused');
CREATE INDEX run_ended ON @.run (ended) WHERE ended IS NOT NULL;

CREATE TABLE @.event (
    key bigint NOT NULL,
    seq bigint NOT NULL,
    body text NOT NULL,                       -- the event as JSON
    PRIMARY KEY (key, seq)
);

-- What is kept of a run's output.
CREATE TABLE @.log (
    key bigint PRIMARY KEY,
    last bigint NOT NULL,                     -- the number of the last entry
    bytes bigint NOT NULL,
    dropped bigint NOT NULL DEFAULT 0,        -- how many entries were dropped to stay within bounds
    dropped_to bigint NOT NULL DEFAULT 0,     -- the number of the last of them
    marker text                               -- that entry, as JSON
) WITH (fillfactor = 70);

-- Output entries that were appended together: a line of JSON each.
CREATE TABLE @.chunk (
    key bigint NOT NULL,
    last bigint NOT NULL,
    bytes bigint NOT NULL,
    entries bigint NOT NULL,                  -- how many are lost with it, those counted that were dropped before
    body text NOT NULL,
    PRIMARY KEY (key, last)
);
