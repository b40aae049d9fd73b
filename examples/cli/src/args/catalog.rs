//! The arguments of commands that change or show workflows of the home.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::ids::WorkflowId;
use workflow_service::report::ReportFormat;
use workflow_service::workflows::{FieldEdit, GraphFormat};

use crate::reference::RunRef;

/// What `import` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// A file that `export` wrote; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Give the workflow another id.
    #[arg(long, value_name = "ID")]
    pub id: Option<WorkflowId>,
    /// Only show what would be added.
    #[arg(long)]
    pub preview: bool,
}

/// What `edit` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct EditArgs {
    /// The workflow.
    #[arg(value_name = "ID")]
    pub workflow: WorkflowId,
    /// Set a field, by the path that `validate` shows: `test.prompt=text`, or `test.retries:=3` with JSON; can be given several
    /// times. Everything else in the file stays as it is, comments too.
    #[arg(long = "set", value_name = "PATH=TEXT|PATH:=JSON", value_parser = set)]
    pub set: Vec<FieldEdit>,
    /// Remove a field; can be given several times, and happens after all `--set`.
    #[arg(long = "remove", value_name = "PATH", value_parser = remove)]
    pub remove: Vec<FieldEdit>,
}

/// A field with its new value.
fn set(text: &str) -> Result<FieldEdit, String> {
    let (path, value) = text.split_once('=').ok_or("write PATH=TEXT or PATH:=JSON")?;
    let (path, value) = match path.strip_suffix(':') {
        Some(path) => (path, Data::parse(value).map_err(|error| format!("not JSON: {error}"))?),
        None => (path, Data::new(&Value::from(value))),
    };
    edit(path, Some(value))
}

fn remove(path: &str) -> Result<FieldEdit, String> {
    edit(path, None)
}

fn edit(path: &str, value: Option<Data>) -> Result<FieldEdit, String> {
    if path.is_empty() {
        return Err("the path of the field is missing, for instance `test.retries`".to_owned());
    }
    Ok(FieldEdit { path: path.to_owned(), remove: value.is_none(), value })
}

/// What `graph` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct GraphArgs {
    /// A file, or the id of a workflow in the home.
    #[arg(value_name = "FILE|ID", required_unless_present = "run", conflicts_with = "run")]
    pub workflow: Option<String>,
    /// Draw the definition that this run follows.
    #[arg(long, value_name = "RUN")]
    pub run: Option<RunRef>,
    /// Draw the nodes inside the stages too.
    #[arg(long)]
    pub nodes: bool,
    /// The language of the drawing.
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    pub format: Drawing,
}

/// The languages of drawings.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Drawing {
    /// For Markdown: GitHub, GitLab and many editors show it.
    Mermaid,
    /// For Graphviz: `dot -Tpng`.
    Dot,
    /// A picture for browsers.
    Svg,
}

impl From<Drawing> for GraphFormat {
    fn from(drawing: Drawing) -> Self {
        match drawing {
            Drawing::Mermaid => Self::Mermaid,
            Drawing::Dot => Self::Dot,
            Drawing::Svg => Self::Svg,
        }
    }
}

/// What `report` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// The run.
    pub run: RunRef,
    /// The form of the report; `--json` prints it as JSON.
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: Form,
}

/// The forms of reports.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// Markdown.
    Markdown,
    /// One page of HTML that loads nothing.
    Html,
}

impl From<Form> for ReportFormat {
    fn from(form: Form) -> Self {
        match form {
            Form::Markdown => Self::Markdown,
            Form::Html => Self::Html,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_to_texts_or_json() {
        for (text, path, value) in [
            ("test.prompt=a=b", "test.prompt", r#""a=b""#),
            ("test.retries:=3", "test.retries", "3"),
            ("test.providers[1].role=", "test.providers[1].role", r#""""#),
        ] {
            let edit = set(text).unwrap();
            assert_eq!((edit.path.as_str(), edit.value.unwrap().json(), edit.remove), (path, value, false));
        }
        for text in ["test", "=x", ":=1", "a:={"] {
            assert!(set(text).is_err(), "{text}");
        }
    }
}
