-- Versions that processes of the version before can work with: they look only at `version`.
CREATE TABLE @.addition (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

-- Which of the runs that no process holds is claimed first, and the labels by which claims are limited. A process that does not know
-- them claims by `run_free`.
ALTER TABLE @.run ADD COLUMN priority smallint NOT NULL DEFAULT 0, ADD COLUMN labels jsonb;
CREATE INDEX run_turn ON @.run (priority, wakes, key) WHERE owner IS NULL AND wakes IS NOT NULL;
