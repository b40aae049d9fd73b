//! Windows of output.

use tokio_postgres::types::{ToSql, Type};
use workflow_core::ids::RunId;
use workflow_core::store::order::run_not_found;
use workflow_core::store::window::WindowScan;
use workflow_core::store::{OutputFilter, OutputWindow, StoreError};

use super::database::Query;
use super::output::dropped;
use super::row::signed;
use super::service::Service;

/// How many chunks are read at a time.
const CHUNKS: usize = 64;

const LOG: Query = Query::new(
    "SELECT l.dropped, l.marker, r.key FROM @.run r LEFT JOIN @.log l ON l.key = r.key WHERE r.run_id = $1",
    &[Type::TEXT],
);

/// The number up to which a chunk can have entries below `$2`: the end of the chunk that has that number.
const END: Query = Query::new(
    "SELECT coalesce((SELECT min(last) FROM @.chunk WHERE key = $1 AND last >= $2), $2)",
    &[Type::INT8, Type::INT8],
);

/// Chunks that may have entries with that text (any where it is null), forwards and backwards. Only the case of ASCII
/// letters is folded, as everywhere.
const FORWARDS: Query = Query::new(
    "SELECT last, body FROM @.chunk WHERE key = $1 AND last > $2 AND last <= $3 \
     AND ($4 IS NULL OR strpos(lower(body COLLATE \"C\"), $4) > 0) ORDER BY last LIMIT $5",
    WINDOW,
);
const BACKWARDS: Query = Query::new(
    "SELECT last, body FROM @.chunk WHERE key = $1 AND last > $2 AND last <= $3 \
     AND ($4 IS NULL OR strpos(lower(body COLLATE \"C\"), $4) > 0) ORDER BY last DESC LIMIT $5",
    WINDOW,
);
const WINDOW: &[Type] = &[Type::INT8, Type::INT8, Type::INT8, Type::TEXT, Type::INT8];

impl Service {
    pub(super) async fn output_window(
        &self,
        run: &RunId,
        filter: &OutputFilter,
    ) -> Result<OutputWindow, StoreError> {
        let rows = self.database.read(&LOG, &[&run.as_str()]).await?;
        let log = rows.first().ok_or_else(|| run_not_found(run))?;
        let (key, marker): (i64, _) = (log.get(2), dropped(log, || format!("run `{run}`, output"))?);
        let mut scan = WindowScan::new(filter);
        let (after, before) = scan.range();
        let (mut after, mut end) = (signed(after), signed(before));
        if before < u64::MAX {
            let rows = self.database.read(&END, &[&key, &end]).await?;
            end = self.database.one(&rows)?.get(0);
        }
        let (backwards, text) = (scan.is_backwards(), fragment(filter));
        if let Some(marker) = marker.as_ref().filter(|_| !backwards) {
            scan.add(marker);
        }
        while !scan.is_done() {
            let most = signed(CHUNKS as u64);
            let params: [&(dyn ToSql + Sync); 5] = [&key, &after, &end, &text, &most];
            let query = if backwards { &BACKWARDS } else { &FORWARDS };
            let rows = self.database.read(query, &params).await?;
            for body in rows.iter().map(|row| row.get::<_, &str>(1)) {
                scan.add_lines(body.as_bytes(), |error| {
                    tracing::warn!(%run, %error, "skipped a damaged output entry");
                });
            }
            let Some(last) = rows.last().map(|row| row.get::<_, i64>(0)).filter(|_| rows.len() == CHUNKS)
            else {
                break;
            };
            if backwards {
                end = last - 1;
            } else {
                after = last;
            }
        }
        if let Some(marker) = marker.as_ref().filter(|_| backwards && !scan.is_done()) {
            scan.add(marker);
        }
        Ok(scan.finish())
    }
}

/// The text that is searched for, as it is in the body of a chunk: lines of JSON.
fn fragment(filter: &OutputFilter) -> Option<String> {
    let json = serde_json::to_string(filter.text.as_deref()?).ok()?;
    Some(json.get(1..json.len() - 1)?.to_ascii_lowercase())
}
