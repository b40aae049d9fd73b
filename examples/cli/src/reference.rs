//! How the command line names a run: by its id, a prefix of it, its workflow, or as the latest one.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::store::{RunFilter, RunRecord, RunStore, StoreError};
use workflow_store::foreign_runs;

use crate::error::Error;
use crate::text::{date, word};

/// The name of the run that was created last.
const LATEST: &str = "latest";
/// How many of the newest runs the error for an ambiguous name lists.
const LISTED: usize = 10;

/// A run as it is named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunRef {
    /// `@latest`, or `WORKFLOW@latest`.
    Latest(Option<WorkflowId>),
    /// An id, the beginning of one, or the id of a workflow with one run.
    Named(RunId),
}

impl FromStr for RunRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('@') {
            Some(("", LATEST)) => Ok(Self::Latest(None)),
            Some((workflow, LATEST)) => {
                WorkflowId::new(workflow).map(|id| Self::Latest(Some(id))).map_err(|error| error.to_string())
            }
            Some(_) => Err("after `@` only `latest` is possible: `@latest`, or `WORKFLOW@latest`".to_owned()),
            None => RunId::new(text).map(Self::Named).map_err(|error| error.to_string()),
        }
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest(None) => write!(f, "@{LATEST}"),
            Self::Latest(Some(workflow)) => write!(f, "{workflow}@{LATEST}"),
            Self::Named(run) => run.fmt(f),
        }
    }
}

impl RunRef {
    /// Whether it is the id of a run that another program wrote into the home.
    pub(crate) fn is_foreign(&self, home: &Path) -> Result<bool, StoreError> {
        let Self::Named(id) = self else { return Ok(false) };
        Ok(foreign_runs(home)?.iter().any(|run| run.run_id == id.as_str()))
    }

    /// The id of the run.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], and [`Error::Ambiguous`] with the runs that the name matches.
    pub(crate) async fn find(&self, store: &dyn RunStore) -> Result<RunId, Error> {
        match self {
            Self::Latest(workflow) => {
                let mut filter = RunFilter::all();
                filter.workflow.clone_from(workflow);
                filter.limit = Some(1);
                let latest = store.list(&filter).await?.into_iter().next();
                let of = workflow.as_ref().map(|id| format!(" of workflow `{id}`")).unwrap_or_default();
                latest.map(|run| run.run_id).ok_or_else(|| StoreError::NotFound(format!("a run{of}")).into())
            }
            Self::Named(id) => match store.get(id).await {
                Ok(run) => Ok(run.run_id),
                Err(StoreError::NotFound(what)) => search(store, id, what).await,
                Err(error) => Err(error.into()),
            },
        }
    }
}

impl RunRef {
    /// The head of the run, and the process that drives it.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub(crate) async fn record(&self, store: &dyn RunStore) -> Result<RunRecord, Error> {
        Ok(store.get(&self.find(store).await?).await?)
    }
}

/// The one run whose id begins so, or whose workflow has that id.
async fn search(store: &dyn RunStore, name: &RunId, what: String) -> Result<RunId, Error> {
    let name = name.as_str();
    let is_meant =
        |run: &RunRecord| run.run_id.as_str().starts_with(name) || run.head.workflow_id.as_str() == name;
    let mut found = store.list(&RunFilter::all()).await?;
    found.retain(is_meant);
    match found.as_slice() {
        [] => Err(StoreError::NotFound(what).into()),
        [only] => Ok(only.run_id.clone()),
        _ => Err(Error::Ambiguous(ambiguous(name, &found))),
    }
}

/// Lists the runs, the newest last.
fn ambiguous(name: &str, found: &[RunRecord]) -> String {
    let of_one = found.iter().all(|run| run.head.workflow_id.as_str() == name);
    let hint = if of_one { format!(", or `{name}@{LATEST}`") } else { String::new() };
    let mut lines = vec![format!("`{name}` matches {} runs; write more of the id{hint}:", found.len())];
    if found.len() > LISTED {
        lines.push(format!("  … {} older ones", found.len() - LISTED));
    }
    lines.extend(found.iter().take(LISTED).rev().map(|RunRecord { run_id, head, .. }| {
        format!("  {run_id}  {}  {}  {}", head.workflow_id, word(head.status), date(head.created_at))
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_ids_and_as_the_latest() {
        let latest = |id: Option<&str>| RunRef::Latest(id.map(|id| WorkflowId::new(id).unwrap()));
        for (text, expected) in [
            ("@latest", Some(latest(None))),
            ("ship@latest", Some(latest(Some("ship")))),
            ("0190ab", Some(RunRef::Named(RunId::new("0190ab").unwrap()))),
            ("@newest", None),
            ("a b@latest", None),
            ("a/b", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
