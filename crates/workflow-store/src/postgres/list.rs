//! Lists of runs.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use workflow_core::store::order::run_not_found;
use workflow_core::store::{RunFilter, RunRecord, StoreError};

use crate::labels::fragments;
use crate::postgres::database::Query;
use crate::postgres::row::{nanoseconds, record, signed};
use crate::postgres::service::Service;

const CREATED: Query = Query::new("SELECT created FROM @.run WHERE run_id = $1", &[Type::TEXT]);

/// The minimum page size of a query that may find runs which the filter does not select.
const FEWEST: usize = 64;

/// Where a page begins: after the run with this creation time and id.
type After = (i64, String);

impl Service {
    pub(super) async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let mut after = match &filter.after {
            None => None,
            Some(run) => {
                let rows = self.database.read(&CREATED, &[&run.as_str()]).await?;
                let created = rows.first().ok_or_else(|| run_not_found(run))?.get(0);
                Some((created, run.to_string()))
            }
        };
        let most = filter.limit.unwrap_or(usize::MAX);
        let mut records: Vec<RunRecord> = Vec::new();
        // A damaged run must not hide the others. Reading it reports the damage.
        let damaged = |error: &StoreError| tracing::error!(%error, "a run is damaged");
        // A second query is needed only if runs were damaged or had other labels.
        while records.len() < most {
            let left = most - records.len();
            let asked = if filter.labels.is_empty() { left } else { left.max(FEWEST) };
            let rows = self.page(filter, after.as_ref(), asked).await?;
            let read = rows.iter().filter_map(|row| record(row).inspect_err(damaged).ok());
            records.extend(read.filter(|record| filter.matches(&record.head)));
            match rows.last() {
                Some(last) if rows.len() >= asked => after = Some((last.get(3), last.get(0))),
                _ => break,
            }
        }
        records.truncate(most);
        Ok(records)
    }

    /// At most `limit` runs, the newest first: all that the filter selects, and with a filter by labels
    /// perhaps others. The statement depends on the filter, so that the matching index can be used.
    async fn page(
        &self,
        filter: &RunFilter,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let statuses: Vec<String> = filter.statuses.iter().map(|status| format!("'{status}'")).collect();
        let workflow = filter.workflow.as_ref().map(ToString::to_string);
        let (from, before) = (filter.created_from.map(nanoseconds), filter.created_before.map(nanoseconds));
        let labels = fragments(&filter.labels);
        let limit = filter.limit.map(|_| signed(limit as u64));
        let mut conditions = vec!["true".to_owned()];
        if !statuses.is_empty() {
            conditions.push(format!("r.status IN ({})", statuses.join(", ")));
        }
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
        if let Some(workflow) = &workflow {
            params.push((workflow, Type::TEXT));
            conditions.push(format!("r.workflow = ${}", params.len()));
        }
        for (bound, sign) in [(&from, ">="), (&before, "<")] {
            if let Some(bound) = bound {
                params.push((bound, Type::INT8));
                conditions.push(format!("r.created {sign} ${}", params.len()));
            }
        }
        for fragment in &labels {
            params.push((fragment, Type::TEXT));
            conditions.push(format!("strpos(r.head, ${}) > 0", params.len()));
        }
        if let Some((created, after)) = after {
            params.push((created, Type::INT8));
            params.push((after, Type::TEXT));
            let last = params.len();
            conditions.push(format!("(r.created, r.run_id) < (${}, ${last})", last - 1));
        }
        params.push((&limit, Type::INT8));
        let sql = format!(
            "SELECT r.run_id, r.head, w.name, r.created FROM @.run r LEFT JOIN @.worker w \
             ON w.worker_id = r.owner AND w.expires_at > @.clock() WHERE {} \
             ORDER BY r.created DESC, r.run_id DESC LIMIT ${}",
            conditions.join(" AND "),
            params.len()
        );
        self.database.read_once(&sql, &params).await
    }
}
