-- Format 5, in a database that processes of format 4 can still open: they look only at `user_version`.
INSERT INTO sequence VALUES ('format', 5);

-- Which of the runs that no process holds is claimed first. A process that does not know it claims by `run_claimable`.
ALTER TABLE run ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
CREATE INDEX run_by_turn ON run (priority, wakes, created_at) WHERE holder IS NULL AND wakes IS NOT NULL;
