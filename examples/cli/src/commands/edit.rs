//! `edit`: changes fields of a workflow, or opens it in an editor.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use workflow_core::bundle::ProviderMap;
use workflow_core::ids::WorkflowId;
use workflow_service::workflows::{GetWorkflow, Problem, UpdateWorkflow, ValidateWorkflow, WorkflowText};

use crate::args::EditArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;

/// Changes a workflow.
pub(crate) async fn edit(home: &Home, json: bool, args: &EditArgs) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let id = &args.workflow;
    let read = host.ask(GetWorkflow { id: id.clone() }).await?;
    let edits: Vec<_> = args.set.iter().chain(&args.remove).cloned().collect();
    if edits.is_empty() {
        return in_editor(&host, json, id, &read.text, &read.version, &read.origin).await;
    }
    let request = UpdateWorkflow { id: id.clone(), version: read.version, text: None, edits };
    let changed = host.ask(request).await.map_err(|error| told(error, json, &read.origin))?;
    report(&host, json, &read.text, &changed).await
}

/// Opens the workflow in an editor until the text has no errors, or the person gives up.
async fn in_editor(
    host: &Host,
    json: bool,
    id: &WorkflowId,
    before: &str,
    version: &str,
    origin: &str,
) -> Result<Exit, Error> {
    let folder = TempDir::with_prefix("workflow-").map_err(Error::System)?;
    let copy = folder.path().join(format!("{id}.workflow.yml"));
    let failed = |source| Error::File { path: copy.clone(), source };
    fs::write(&copy, before).map_err(failed)?;
    loop {
        open(&copy)?;
        let text = fs::read_to_string(&copy).map_err(failed)?;
        if text == before {
            print::to_stderr("nothing was changed");
            return Ok(Exit::DONE);
        }
        let request = UpdateWorkflow {
            id: id.clone(),
            version: version.to_owned(),
            text: Some(text),
            edits: Vec::new(),
        };
        match host.ask(request).await {
            Ok(changed) => return report(host, json, before, &changed).await,
            Err(error) => {
                let is_wrong = matches!(&error, Error::Service(error) if !error.problems().is_empty());
                let error = told(error, json, origin);
                if is_wrong && again()? {
                    continue;
                }
                // The person's work is not thrown away.
                let kept = kept(folder, &copy);
                print::to_stderr(&format!("{origin} was not changed; your text is in {}", kept.display()));
                return Err(error);
            }
        }
    }
}

/// Lets the person edit a file.
fn open(file: &Path) -> Result<(), Error> {
    let named = |name| std::env::var(name).ok().filter(|editor: &String| !editor.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // As with git, the variable can have arguments: it is a command of the shell, and the file its last argument.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg(&editor).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Error::Refused(format!("the editor `{editor}` failed ({status}); nothing was changed")))
        }
        Err(error) => Err(Error::Refused(format!("the editor `{editor}` cannot be started: {error}"))),
    }
}

/// Asks whether to open the editor again.
fn again() -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    print::to_stderr("the text has errors and was not saved. Edit it again? Type n to stop:");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).map_err(Error::System)?;
    Ok(read > 0 && !matches!(answer.trim(), "n" | "N" | "no"))
}

/// Where the person's text stays.
fn kept(folder: TempDir, copy: &Path) -> PathBuf {
    let name = copy.file_name().map(PathBuf::from).unwrap_or_default();
    folder.keep().join(name)
}

/// Prints the errors of a text that was refused, each with its line.
fn told(error: Error, json: bool, origin: &str) -> Error {
    match error {
        Error::Service(error) if !error.problems().is_empty() && !json => {
            error.problems().iter().for_each(|problem| print::to_stderr(&problem.in_line(origin)));
            Error::Invalid(origin.to_owned())
        }
        error => error,
    }
}

/// Shows what was changed, and what is wrong with what the workflow refers to.
async fn report(host: &Host, json: bool, before: &str, changed: &WorkflowText) -> Result<Exit, Error> {
    let WorkflowText { id, origin, text, .. } = changed;
    let checked = host
        .ask(ValidateWorkflow {
            id: Some(id.clone()),
            text: text.clone(),
            strict: false,
            providers: ProviderMap::default(),
            values: false,
            explain: false,
        })
        .await?;
    if json {
        print::json(changed)?;
    } else {
        print::lines(difference(before, text))?;
        print::line(format!("changed {origin}"))?;
    }
    let show = |problem: &Problem| print::to_stderr(&problem.in_line(origin));
    checked.diagnostics.iter().for_each(show);
    Ok(Exit::DONE)
}

/// The lines that are in one of two texts, between the first and the last that differ.
fn difference(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let first = same(&mut before.iter().zip(&after));
    let last = same(&mut before[first..].iter().rev().zip(after[first..].iter().rev()));
    let gone = before[first..before.len() - last].iter().map(|line| format!("- {line}"));
    gone.chain(after[first..after.len() - last].iter().map(|line| format!("+ {line}"))).collect()
}
