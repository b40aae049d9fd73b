WITH time AS MATERIALIZED (SELECT @.clock() AS now),
me AS MATERIALIZED (
SELECT FROM @.worker w, time WHERE w.worker_id = $1 AND w.expires_at > time.now),
longer AS (
UPDATE @.worker w SET expires_at = time.now + make_interval(secs => $2) FROM time
WHERE w.worker_id = $1 AND w.expires_at > time.now
AND w.expires_at < time.now + make_interval(secs => $2 * 31 / 32)), bundle AS (
INSERT INTO @.bundle (hash, body) SELECT $3, $4 WHERE $4 IS NOT NULL ON CONFLICT DO NOTHING),
run AS (
INSERT INTO @.run
(run_id, workflow, status, created, ended, head, last_event, obeyed, epoch, owner, wakes)
SELECT $5, $6, $7, $8, $9, $10, $11, $12, nextval('@.epoch'), $1, $14 FROM me
ON CONFLICT (run_id) DO NOTHING RETURNING key, epoch),
stored AS (
INSERT INTO @.event (key, seq, body) SELECT run.key, e.seq, e.body
FROM run, unnest($13::text[]) WITH ORDINALITY AS e (body, seq))
SELECT epoch FROM run
