//! Reads of events, heads, control requests and bundles.

use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{ControlRecord, ControlRequest, RunRecord, StoreError};

use crate::postgres::database::Query;
use crate::postgres::row::{controls, parse, record, signed, text, unsigned};
use crate::postgres::service::Service;

const EVENTS: Query = Query::new(
    "SELECT e.body FROM @.run r LEFT JOIN LATERAL ( \
         SELECT seq, body FROM @.event WHERE key = r.key AND seq > $2 ORDER BY seq LIMIT $3) e ON true \
     WHERE r.run_id = $1 ORDER BY e.seq",
    &[Type::TEXT, Type::INT8, Type::INT8],
);

const GET: Query = Query::new(
    "SELECT r.run_id, r.head, w.name FROM @.run r \
     LEFT JOIN @.worker w ON w.worker_id = r.owner AND w.expires_at > @.clock() WHERE r.run_id = $1",
    &[Type::TEXT],
);

const REQUEST: Query = Query::new(
    "UPDATE @.run SET controls = array_append(controls, $2) WHERE run_id = $1 \
     RETURNING cardinality(controls)::bigint",
    &[Type::TEXT, Type::TEXT],
);

const CONTROLS: Query = Query::new("SELECT controls FROM @.run WHERE run_id = $1", &[Type::TEXT]);

const BUNDLE: Query = Query::new("SELECT body FROM @.bundle WHERE hash = $1", &[Type::TEXT]);

impl Service {
    pub(super) async fn events(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let params: [&(dyn ToSql + Sync); 3] = [&run.as_str(), &signed(after), &signed(limit as u64)];
        let rows = self.database.read(&EVENTS, &params).await?;
        if rows.is_empty() {
            return Err(run_not_found(run));
        }
        let bodies = rows.iter().filter_map(|row| row.get::<_, Option<&str>>(0));
        let mut events = Vec::with_capacity(rows.len());
        for (body, number) in bodies.zip(after.saturating_add(1)..) {
            let place = || format!("run `{run}`, event {number}");
            let event: Event = parse(body, place)?;
            if event.seq != number {
                let message = format!("found event {}, expected event {number}", event.seq);
                return Err(StoreError::Corrupt { place: place(), message });
            }
            events.push(event);
        }
        Ok(events)
    }

    pub(super) async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let rows = self.database.read(&GET, &[&run.as_str()]).await?;
        record(rows.first().ok_or_else(|| run_not_found(run))?)
    }

    pub(super) async fn request(&self, run: &RunId, request: &ControlRequest) -> Result<u64, StoreError> {
        let request = text(request, &format!("run `{run}`"))?;
        let rows = self.database.change(&REQUEST, &[&run.as_str(), &request]).await?;
        let number = unsigned(rows.first().ok_or_else(|| run_not_found(run))?.get(0));
        self.hints.tell(Some(run));
        Ok(number)
    }

    pub(super) async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        let rows = self.database.read(&CONTROLS, &[&run.as_str()]).await?;
        let words: Vec<String> = rows.first().ok_or_else(|| run_not_found(run))?.get(0);
        let given = usize::try_from(after).unwrap_or(usize::MAX).min(words.len());
        controls(run, given as u64, &words[given..])
    }

    pub(super) async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let rows = self.database.read(&BUNDLE, &[&hash.as_str()]).await?;
        let not_found = || StoreError::NotFound(format!("bundle `{hash}`"));
        let text: &str = rows.first().ok_or_else(not_found)?.get(0);
        let corrupt = |message: String| StoreError::Corrupt { place: format!("bundle `{hash}`"), message };
        if BundleHash::of(text) != *hash {
            return Err(corrupt("the hash of the content differs: it was changed or damaged".to_owned()));
        }
        Bundle::from_json(text).map(Arc::new).map_err(|error| corrupt(error.to_string()))
    }
}
