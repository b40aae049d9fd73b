//! `duplicate`, `export` and `import`: copies of workflows.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use workflow_core::ids::WorkflowId;
use workflow_service::workflows::{
    DuplicateWorkflow, ExportWorkflow, ImportItem, ImportState, ImportWorkflow, Imported,
};
use workflow_service::{Code, ServiceError};

use crate::args::ImportArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::host::Host;
use crate::print;

/// The largest file that is read: more than an export may have.
const LIMIT: u64 = 64 << 20;

/// Copies a workflow under another id.
pub(crate) async fn duplicate(
    home: &Home,
    json: bool,
    id: &WorkflowId,
    new_id: &WorkflowId,
    name: Option<&str>,
) -> Result<Exit, Error> {
    let request = DuplicateWorkflow { id: id.clone(), new_id: new_id.clone(), name: name.map(str::to_owned) };
    let copy = Host::for_definitions(home)?.ask(request).await?;
    if json {
        print::json(&copy)?;
    } else {
        print::line(format!("created {}", copy.origin))?;
    }
    Ok(Exit::DONE)
}

/// Prints a workflow with all that it refers to.
pub(crate) async fn export(home: &Home, json: bool, id: &WorkflowId) -> Result<Exit, Error> {
    let exported = Host::for_definitions(home)?.ask(ExportWorkflow { id: id.clone() }).await?;
    if json {
        print::json(&exported)?;
        return Ok(Exit::DONE);
    }
    print::document(&exported.text)?;
    if !exported.parts.is_empty() {
        print::to_stderr(&format!("exported with {}", exported.parts.join(", ")));
    }
    for note in exported.notes {
        print::to_stderr(&format!("warning: {note}"));
    }
    Ok(Exit::DONE)
}

/// Adds a workflow that was exported.
pub(crate) async fn import(home: &Home, json: bool, args: &ImportArgs) -> Result<Exit, Error> {
    let text = read(&args.file).map_err(|source| Error::File { path: args.file.clone(), source })?;
    let host = Host::for_definitions(home)?;
    let request = ImportWorkflow { text, new_id: args.id.clone(), preview: true };
    let preview = host.ask(request.clone()).await?;
    if preview.conflicts && !args.preview && !json {
        print::lines(table("WOULD BE", &preview))?;
        let message = "nothing was imported, because something is here with another text: remove it, or give the \
                       workflow another id with `--id`";
        return Err(ServiceError::new(Code::Exists, message).into());
    }
    let imported = if args.preview {
        preview
    } else {
        home::make(&home.path)?;
        host.ask(ImportWorkflow { preview: false, ..request }).await?
    };
    let id = &imported.id;
    if json {
        print::json(&imported)?;
    } else {
        print::lines(table(if args.preview { "WOULD BE" } else { "WAS" }, &imported))?;
    }
    for problem in &imported.diagnostics {
        print::to_stderr(&problem.in_line(&format!("workflow {id}")));
    }
    if args.preview {
        print::to_stderr("nothing was added: this is a preview");
    } else if !json {
        print::line(if imported.valid {
            format!("try it with: workflow run {id}")
        } else {
            format!("it cannot run here yet: `workflow validate {id}` shows why")
        })?;
    }
    Ok(if args.preview && imported.conflicts { Exit::INVALID } else { Exit::DONE })
}

fn table(what: &str, imported: &Imported) -> Vec<String> {
    let head = ["WHAT", what, "FILE"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(imported.items.iter().map(row)).collect();
    print::table(&rows)
}

fn row(ImportItem { item, state, origin, .. }: &ImportItem) -> [String; 3] {
    let state = match state {
        ImportState::Create => "added",
        ImportState::Same => "there already, the same",
        _ => "refused: there is one with another text",
    };
    [item.clone(), state.to_owned(), origin.clone().unwrap_or_default()]
}

fn read(file: &Path) -> io::Result<String> {
    let from: Box<dyn io::Read> =
        if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    let mut text = String::new();
    from.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}
