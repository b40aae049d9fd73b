WITH time AS MATERIALIZED (SELECT @.clock() AS now),
me AS MATERIALIZED (
SELECT FROM @.worker w, time WHERE w.worker_id = $1 AND w.expires_at > time.now),
longer AS (
UPDATE @.worker w SET expires_at = time.now + make_interval(secs => $2) FROM time
WHERE w.worker_id = $1 AND w.expires_at > time.now
AND w.expires_at < time.now + make_interval(secs => $2 * 31 / 32)), dead AS MATERIALIZED (
SELECT w.worker_id, CASE WHEN w.expires_at > '-infinity' THEN 1 ELSE 0 END AS died
FROM @.worker w, time WHERE w.expires_at <= time.now),
unowned AS (
SELECT r.key, r.epoch, NULL::uuid AS owner FROM @.run r, me
WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND r.wakes <= $4
AND coalesce(r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key), false)
ORDER BY r.wakes LIMIT $3 FOR UPDATE OF r SKIP LOCKED),
orphaned AS (
SELECT r.key, r.epoch, r.owner FROM @.run r, me
WHERE r.owner IN (SELECT worker_id FROM dead) AND r.wakes IS NOT NULL AND r.wakes <= $4
AND r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key)
LIMIT $3 - (SELECT count(*) FROM unowned) FOR UPDATE OF r SKIP LOCKED),
taken AS (
UPDATE @.run r SET owner = $1, epoch = nextval('@.epoch'), died_at = r.last_event,
deaths = CASE WHEN r.died_at = r.last_event THEN r.deaths ELSE 0 END
+ coalesce((SELECT died FROM dead WHERE worker_id = free.owner), 0)
FROM (SELECT key, epoch, owner FROM unowned UNION ALL SELECT key, epoch, owner FROM orphaned) free
WHERE r.key = free.key
RETURNING r.run_id, r.epoch, r.obeyed, free.epoch AS previous, r.deaths, r.slot)
SELECT EXISTS (SELECT FROM me), taken.run_id, taken.epoch, taken.obeyed, taken.previous, taken.deaths,
taken.slot
FROM (SELECT) one LEFT JOIN taken ON true
