-- For counts by status, which a scrape of metrics asks for, and for lists of a status that few runs have: with millions of runs
-- that have ended, neither reads them all.
CREATE INDEX run_status ON @.run (status, created DESC, run_id DESC);
