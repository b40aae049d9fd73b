//! Lists of runs.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use workflow_core::store::order::run_not_found;
use workflow_core::store::{RunFilter, RunRecord, StoreError};

use crate::labels::{fragments, is_exact, reasons, text};
use crate::postgres::database::Query;
use crate::postgres::row::{nanoseconds, record, signed, unsigned};
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
        // A second query is needed only if runs were damaged, or were found that the filter does not select.
        while records.len() < most {
            let left = most - records.len();
            let asked = if is_exact(filter) { left } else { left.max(FEWEST) };
            let rows = self.page(filter, after.as_ref(), asked).await?;
            let read = rows.iter().filter_map(|row| record(row).inspect_err(damaged).ok());
            records.extend(read.filter(|record| filter.matches(&record.run_id, &record.head)));
            match rows.last() {
                Some(last) if rows.len() >= asked => after = Some((last.get(3), last.get(0))),
                _ => break,
            }
        }
        records.truncate(most);
        Ok(records)
    }

    pub(super) async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        let mut filter = filter.clone();
        (filter.after, filter.limit) = (None, None);
        if !is_exact(&filter) {
            return Ok(self.list(&filter).await?.len() as u64);
        }
        let conditions = Conditions::new(&filter);
        let (text, params) = conditions.sql();
        let sql = format!("SELECT count(*) FROM @.run r WHERE {}", text.join(" AND "));
        let rows = self.database.read_once(&sql, &params).await?;
        Ok(unsigned(self.database.one(&rows)?.get(0)))
    }

    /// At most `limit` runs, the newest first: all that the filter selects, and perhaps others unless it [is
    /// exact](is_exact). The statement depends on the filter, so that the index can be used that suits it.
    async fn page(
        &self,
        filter: &RunFilter,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let limit = filter.limit.map(|_| signed(limit as u64));
        let conditions = Conditions::new(filter);
        let (mut text, mut params) = conditions.sql();
        if let Some((created, after)) = after {
            params.push((created, Type::INT8));
            params.push((after, Type::TEXT));
            let last = params.len();
            text.push(format!("(r.created, r.run_id) < (${}, ${last})", last - 1));
        }
        params.push((&limit, Type::INT8));
        let sql = format!(
            "SELECT r.run_id, r.head, w.name, r.created FROM @.run r LEFT JOIN @.worker w \
             ON w.worker_id = r.owner AND w.expires_at > @.clock() WHERE {} \
             ORDER BY r.created DESC, r.run_id DESC LIMIT ${}",
            text.join(" AND "),
            params.len()
        );
        self.database.read_once(&sql, &params).await
    }
}

type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// What a query can look for, of a filter.
struct Conditions {
    statuses: Vec<String>,
    workflow: Option<String>,
    bounds: [(Option<i64>, &'static str); 4],
    /// Texts that are in the head.
    labels: Vec<String>,
    /// One of these is in the head.
    reasons: Vec<String>,
    text: Option<String>,
}

impl Conditions {
    fn new(filter: &RunFilter) -> Self {
        Self {
            statuses: filter.statuses.iter().map(|status| format!("'{status}'")).collect(),
            workflow: filter.workflow.as_ref().map(ToString::to_string),
            bounds: [
                (filter.created_from.map(nanoseconds), "r.created >="),
                (filter.created_before.map(nanoseconds), "r.created <"),
                (filter.ended_from.map(nanoseconds), "r.ended >="),
                (filter.ended_before.map(nanoseconds), "r.ended <"),
            ],
            labels: fragments(filter),
            reasons: reasons(filter),
            text: text(filter),
        }
    }

    fn sql(&self) -> (Vec<String>, Vec<Param<'_>>) {
        let mut sql = vec!["true".to_owned()];
        let mut params: Vec<Param<'_>> = Vec::new();
        if !self.statuses.is_empty() {
            sql.push(format!("r.status IN ({})", self.statuses.join(", ")));
        }
        if let Some(workflow) = &self.workflow {
            params.push((workflow, Type::TEXT));
            sql.push(format!("r.workflow = ${}", params.len()));
        }
        for (bound, condition) in &self.bounds {
            if let Some(bound) = bound {
                params.push((bound, Type::INT8));
                sql.push(format!("{condition} ${}", params.len()));
            }
        }
        for fragment in &self.labels {
            params.push((fragment, Type::TEXT));
            sql.push(format!("strpos(r.head, ${}) > 0", params.len()));
        }
        if !self.reasons.is_empty() {
            let mut any = Vec::new();
            for reason in &self.reasons {
                params.push((reason, Type::TEXT));
                any.push(format!("strpos(r.head, ${}) > 0", params.len()));
            }
            sql.push(format!("({})", any.join(" OR ")));
        }
        if let Some(text) = &self.text {
            params.push((text, Type::TEXT));
            // Only the case of ASCII letters is folded. The head has the id of the workflow, and the values of labels.
            let n = params.len();
            sql.push(format!(
                "(strpos(lower(r.run_id COLLATE \"C\"), ${n}) > 0 \
                 OR strpos(lower(r.head COLLATE \"C\"), ${n}) > 0)"
            ));
        }
        (sql, params)
    }
}
