WITH me AS MATERIALIZED (
SELECT FROM @.worker WHERE worker_id = $1 AND expires_at > @.clock()),
held AS (
UPDATE @.run r SET last_event = r.last_event + a.count, obeyed = greatest(r.obeyed, a.obeyed),
head = coalesce(a.head, r.head), status = coalesce(a.status, r.status),
ended = CASE WHEN a.head IS NULL THEN r.ended ELSE a.ended END,
wakes = CASE WHEN a.head IS NULL THEN r.wakes ELSE a.wakes END
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
$8::text[], $9::text[], $10::bigint[], $11::bigint[]) WITH ORDINALITY
AS a (run_id, epoch, expected, count, obeyed, given, head, status, ended, wakes, place)
WHERE r.run_id = a.run_id AND r.epoch = a.epoch AND r.owner = $1 AND r.last_event = a.expected
AND EXISTS (SELECT FROM me)
RETURNING a.place, r.key, r.controls[(a.given + 1)::integer:] AS controls),
stored AS (
INSERT INTO @.event (key, seq, body) SELECT h.key, e.seq, e.body
FROM unnest($12::bigint[], $13::bigint[], $14::text[]) AS e (place, seq, body)
JOIN held h ON h.place = e.place)
SELECT place, controls FROM held
