//! The workflows that the command line names: files, or ids of workflows in the home.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use workflow_core::bundle::ProviderMap;
use workflow_core::catalog::{Catalog as _, CatalogError};
use workflow_core::definition::{Diagnostic, Severity, did_you_mean};
use workflow_core::ids::WorkflowId;
use workflow_core::plan::Plan;

use crate::error::Error;
use crate::host::Host;

/// The largest file that is read: more than a definition may have.
const LIMIT: u64 = (1 << 20) + 1;

/// The text of a workflow.
pub(crate) struct Source {
    /// Its name in diagnostics.
    pub name: String,
    /// The id that the file's name gives.
    id: Option<WorkflowId>,
    text: Vec<u8>,
}

/// The text of a workflow, for operations.
pub(crate) struct SourceText {
    /// Its name in diagnostics.
    pub name: String,
    /// The id that the file's name gives.
    pub id: Option<WorkflowId>,
    /// The YAML text.
    pub text: String,
}

/// The result of checking a workflow.
pub(crate) struct Checked {
    /// The workflow, ready to run, if it has no errors.
    pub plan: Option<Arc<Plan>>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Source {
    /// Reads a workflow of the home when `name` has the form of an id, and a file otherwise.
    pub(crate) async fn read(host: &Host, name: &str) -> Result<Self, Error> {
        match WorkflowId::new(name) {
            Ok(id) => {
                let document = match host.catalog.get(&id).await {
                    Err(CatalogError::NotFound(what)) => {
                        let known = host.catalog.list().await?;
                        let near = did_you_mean(id.as_str(), known.iter().map(|known| known.id.as_str()));
                        return Err(CatalogError::NotFound(format!("{what}{near}")).into());
                    }
                    found => found?,
                };
                Ok(Self { name: document.origin, id: Some(id), text: document.text.into_bytes() })
            }
            Err(_) => Self::file(name),
        }
    }

    fn file(name: &str) -> Result<Self, Error> {
        let path = PathBuf::from(name);
        let text = read(&path).map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(Self { name: name.to_owned(), id: id_of(&path), text })
    }

    /// The workflow as a text.
    pub(crate) fn into_text(self) -> Result<SourceText, Error> {
        let Self { name, id, text } = self;
        match String::from_utf8(text) {
            Ok(text) => Ok(SourceText { name, id, text }),
            Err(error) => {
                let source = io::Error::new(io::ErrorKind::InvalidData, error.utf8_error());
                Err(Error::File { path: name.into(), source })
            }
        }
    }

    /// Checks the workflow and the parts that it refers to, also for what this host cannot run. `providers` replace
    /// those that it names.
    pub(crate) async fn check(
        &self,
        host: &Host,
        strict: bool,
        providers: &ProviderMap,
    ) -> Result<Checked, Error> {
        let mut checked = host.engine.check_with(&self.text, self.id.as_ref(), providers).await?;
        if strict {
            for diagnostic in &mut checked.diagnostics {
                if diagnostic.code == "unknown-key" {
                    diagnostic.severity = Severity::Error;
                    checked.plan = None;
                }
            }
        }
        Ok(Checked { plan: checked.plan, diagnostics: checked.diagnostics })
    }
}

impl Checked {
    /// The lines `file:line:column: error[code]: message`.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.in_line(name)).collect()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut text)?;
    Ok(text)
}

/// `ship` for `flows/ship.workflow.yml` and `ship.yml`; `None` when the name is not an id.
fn id_of(path: &Path) -> Option<WorkflowId> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"))?;
    WorkflowId::new(name.strip_suffix(".workflow").unwrap_or(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_gives_the_id() {
        for (path, id) in [
            ("ship.workflow.yml", Some("ship")),
            ("a/b/ship.workflow.yaml", Some("ship")),
            ("ship.yml", Some("ship")),
            ("ship.txt", None),
            ("my ship.workflow.yml", None),
            ("a.b.workflow.yml", None),
            ("/", None),
        ] {
            assert_eq!(id_of(Path::new(path)).as_ref().map(WorkflowId::as_str), id, "{path}");
        }
    }
}
