-- Notices of events, for each target. They are deleted with their run.
CREATE TABLE @.notice (
    key bigint NOT NULL REFERENCES @.run (key) ON DELETE CASCADE,
    event bigint NOT NULL,
    target text COLLATE "C" NOT NULL,
    tries integer NOT NULL,                   -- how often it was claimed
    until bigint,                             -- when the claim ends, in nanoseconds since 1970; NULL once it is settled
    PRIMARY KEY (key, event, target)
);
