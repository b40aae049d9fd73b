//! A catalog that keeps definitions as files.

mod parts;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use workflow_core::bundle::{BundleHash, Skill};
use workflow_core::catalog::{
    Catalog, CatalogEntry, CatalogError, Document, Part, PartKind, Text, Version, is_protected,
    only_unprotects,
};
use workflow_core::definition::{Diagnostic, Diagnostics, parse, read};
use workflow_core::ids::WorkflowId;

use crate::disk::{Content, create_dir_all, replace, sync_dir, take_turn, unfinished};
use crate::job_thread::{Ended, JobThread};

/// The file name endings of definitions. New files get the first one.
const ENDINGS: [&str; 2] = [".workflow.yml", ".workflow.yaml"];

/// The maximum size of a definition, in bytes.
const LARGEST: u64 = 1 << 20;

/// Keeps workflow definitions as the files `<home>/workflows/{id}.workflow.yml`, which users can edit
/// directly; `.yaml` is read as well.
///
/// A file that resolves to a path outside the home, is larger than 1 MiB or is not UTF-8 is listed with its
/// problem and not read; so are two files with the same id. Other files and folders are ignored.
///
/// Beside them it keeps `roles/{id}.md`, `workflows/stages/{stage}.{profile}.yml`, `config/assignments.yml`,
/// the JSON Schemas that definitions name, and `skills/{name}/SKILL.md` or, in the desktop app's format,
/// `skills/{name}.json`. A README among the roles is not a role.
///
/// Changes are durable when they are acknowledged, and a reader sees a file either before or after a change,
/// never in between. Processes that use the same home change it one at a time. A text with errors is not
/// stored.
///
/// A thread of the catalog does the work, so no method blocks. Once a method was polled, it completes even if
/// its future is dropped; a method that makes several changes, such as [`create_from`](Catalog::create_from),
/// then stops after the change in progress.
///
/// ```
/// use workflow_core::catalog::Catalog;
/// use workflow_core::ids::WorkflowId;
/// use workflow_store::FsCatalog;
///
/// # let home = tempfile::tempdir()?;
/// let catalog = FsCatalog::open(home.path().join(".orch"))?;
/// let id = WorkflowId::new("hello")?;
/// let text = "
/// workflow:
///   name: Hello
///   stages: [greet]
/// greet: { provider: command, with: { command: [echo, hello] } }
/// ";
/// futures::executor::block_on(async {
///     catalog.create(&id, text).await?;
///     assert_eq!(catalog.list().await?[0].name.as_deref(), Some("Hello"));
///     assert_eq!(catalog.get(&id).await?.text, text);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FsCatalog {
    worker: JobThread,
    folder: Arc<Folder>,
}

impl FsCatalog {
    /// Opens the catalog in `home`, which does not need to exist yet.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Io`] when its thread cannot be started.
    pub fn open(home: impl AsRef<Path>) -> Result<Self, CatalogError> {
        Self::with_folders(home, Folders::default())
    }

    /// Like [`open`](Self::open), with additional read-only folders.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Io`] when its thread cannot be started.
    pub fn with_folders(home: impl AsRef<Path>, more: Folders) -> Result<Self, CatalogError> {
        let shown = home.as_ref();
        let open = || Ok((JobThread::spawn("workflow-catalog")?, std::path::absolute(shown)?));
        let (worker, home) = open().map_err(at(shown))?;
        let folder = Folder { workflows: home.join("workflows"), home, shown: shown.join("workflows"), more };
        Ok(Self { worker, folder: Arc::new(folder) })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Folder) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let folder = Arc::clone(&self.folder);
        let done = self.worker.run(move |_| job(&folder)).await;
        done.unwrap_or_else(|Ended| {
            Err(at(&self.folder.shown)(io::Error::other("the thread of the catalog has stopped")))
        })
    }
}

impl fmt::Debug for FsCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FsCatalog").field("workflows", &self.folder.shown).finish_non_exhaustive()
    }
}

#[async_trait]
impl Catalog for FsCatalog {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        self.run(Folder::list).await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
        let id = id.clone();
        self.run(move |folder| Ok(folder.get(&id)?.1)).await
    }

    async fn create(&self, id: &WorkflowId, text: &str) -> Result<Document, CatalogError> {
        let (id, text) = (id.clone(), text.to_owned());
        self.run(move |folder| folder.create(&id, text)).await
    }

    async fn update(&self, id: &WorkflowId, text: &str, read: &Version) -> Result<Document, CatalogError> {
        let (id, text, read) = (id.clone(), text.to_owned(), read.clone());
        self.run(move |folder| folder.update(&id, text, &read)).await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), CatalogError> {
        let id = id.clone();
        self.run(move |folder| folder.delete(&id)).await
    }

    async fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
        self.run(move |folder| folder.parts(kind)).await
    }

    async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        let part = part.clone();
        self.run(move |folder| folder.part(&part)).await
    }

    async fn put_part(&self, part: &Part, text: &str, read: Option<&Version>) -> Result<Text, CatalogError> {
        let (part, text, read) = (part.clone(), text.to_owned(), read.cloned());
        self.run(move |folder| folder.put_part(&part, text, read.as_ref())).await
    }

    async fn delete_part(&self, part: &Part) -> Result<(), CatalogError> {
        let part = part.clone();
        self.run(move |folder| folder.delete_part(&part)).await
    }

    async fn read_only(&self, part: &Part) -> Result<Option<String>, CatalogError> {
        let part = part.clone();
        self.run(move |folder| folder.read_only(&part)).await
    }

    async fn skill(&self, name: &str) -> Result<Option<Skill>, CatalogError> {
        let name = name.to_owned();
        self.run(move |folder| folder.skill(&name)).await
    }
}

/// Read-only folders beside the home. Parts in the home take precedence, then these folders, in order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Folders {
    /// Folders with roles, as `{id}.md`.
    pub roles: Vec<PathBuf>,
    /// Folders with skills, as `{name}/SKILL.md`.
    pub skills: Vec<PathBuf>,
}

/// The folder with the definitions. All methods block.
struct Folder {
    home: PathBuf,
    workflows: PathBuf,
    /// The folder as the host named it, for messages.
    shown: PathBuf,
    more: Folders,
}

/// Why a file was not read.
#[derive(Debug)]
enum Unreadable {
    Problem(String),
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Folder {
    fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        let entries = match fs::read_dir(&self.workflows) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&self.shown))?,
        };
        let mut found = BTreeMap::<WorkflowId, Vec<String>>::new();
        for entry in entries {
            let name = entry.map_err(at(&self.shown))?.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else { continue };
            match WorkflowId::new(stem) {
                Ok(id) => found.entry(id).or_default().push(name.to_owned()),
                Err(error) => {
                    tracing::warn!(file = name, %error, "skipped a file: its name is not a valid workflow id");
                }
            }
        }
        let read_only = unwritable(&self.workflows, &self.shown);
        let entries = found.into_iter().filter_map(|(id, names)| {
            let mut entry = self.entry(id, &names)?;
            entry.read_only.clone_from(&read_only);
            Some(entry)
        });
        Ok(entries.collect())
    }

    fn entry(&self, id: WorkflowId, names: &[String]) -> Option<CatalogEntry> {
        let mut entry = CatalogEntry::new(id);
        let text = match names {
            [name] => self.read(&self.workflows.join(name)),
            _ => Err(Unreadable::Problem(two_files(&entry.id))),
        };
        match text {
            Ok(text) => {
                let draft = read(text.as_bytes(), Some(&entry.id));
                (entry.is_default, entry.is_protected) = (draft.is_default(), draft.is_protected());
                let parsed = draft.into_parsed();
                let error = parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
                entry.problem = error.map(ToString::to_string);
                if let Some(workflow) = parsed.workflow {
                    entry.stages = workflow.stages.keys().map(ToString::to_string).collect();
                    entry.name = Some(workflow.name);
                    entry.description = workflow.description;
                    entry.repeat = workflow.repeat;
                }
                entry.diagnostics = parsed.diagnostics;
            }
            // The file was deleted in the meantime.
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let problem = match error {
                    Unreadable::Problem(problem) => problem,
                    Unreadable::Io(error) => format!("it cannot be read: {error}"),
                };
                entry.diagnostics = vec![Diagnostic::error("bad-file", "", problem.as_str())];
                entry.problem = Some(problem);
            }
        }
        Some(entry)
    }

    fn read(&self, path: &Path) -> Result<String, Unreadable> {
        read_within(&self.home, path)
    }

    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        inside(&self.home, path)
    }

    /// The file name of a definition.
    fn name(&self, id: &WorkflowId) -> Result<String, CatalogError> {
        let names = ENDINGS.map(|ending| format!("{id}{ending}"));
        let there = names.each_ref().map(|name| fs::symlink_metadata(self.workflows.join(name)).is_ok());
        let [first, second] = names;
        match there {
            [true, false] => Ok(first),
            [false, true] => Ok(second),
            [false, false] => Err(CatalogError::NotFound(named(id))),
            [true, true] => Err(CatalogError::Invalid(two_files(id))),
        }
    }

    fn get(&self, id: &WorkflowId) -> Result<(PathBuf, Document), CatalogError> {
        let name = self.name(id)?;
        let path = self.workflows.join(&name);
        let shown = self.shown.join(&name);
        let text = self.read(&path).map_err(|error| match error {
            Unreadable::Problem(problem) => CatalogError::Invalid(format!("{}: {problem}", shown.display())),
            Unreadable::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                CatalogError::NotFound(named(id))
            }
            Unreadable::Io(error) => at(&shown)(error),
        })?;
        Ok((path, document(id.clone(), &shown, text)))
    }

    fn create(&self, id: &WorkflowId, text: String) -> Result<Document, CatalogError> {
        check(id, &text)?;
        create_dir_all(&self.workflows).map_err(at(&self.shown))?;
        let turn = self.turn(id)?;
        match self.name(id) {
            Err(CatalogError::NotFound(_)) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(CatalogError::Exists(named(id))),
        }
        let name = format!("{id}{}", ENDINGS[0]);
        self.write(&self.workflows.join(&name), id, &text).map_err(at(&self.shown.join(&name)))?;
        drop(turn);
        Ok(document(id.clone(), &self.shown.join(name), text))
    }

    fn update(&self, id: &WorkflowId, text: String, read: &Version) -> Result<Document, CatalogError> {
        check(id, &text)?;
        let turn = self.turn(id)?;
        let (path, found) = self.get(id)?;
        if found.version != *read {
            return Err(CatalogError::Stale(named(id)));
        }
        if is_protected(&found.text) && found.text != text && !only_unprotects(&found.text, &text) {
            return Err(CatalogError::Protected(named(id)));
        }
        let shown = PathBuf::from(found.origin);
        self.write(&path, id, &text).map_err(at(&shown))?;
        drop(turn);
        Ok(document(id.clone(), &shown, text))
    }

    fn delete(&self, id: &WorkflowId) -> Result<(), CatalogError> {
        let turn = self.turn(id)?;
        let name = self.name(id)?;
        // One that cannot be read says nothing.
        if self.read(&self.workflows.join(&name)).is_ok_and(|text| is_protected(&text)) {
            return Err(CatalogError::Protected(named(id)));
        }
        let removed = fs::remove_file(self.workflows.join(&name)).and_then(|()| sync_dir(&self.workflows));
        drop(turn);
        removed.map_err(at(&self.shown.join(name)))
    }

    /// Waits until no other process is changing the folder, and locks it until the returned file is dropped.
    fn turn(&self, id: &WorkflowId) -> Result<Option<File>, CatalogError> {
        let take = || {
            let folder = self.inside(&self.workflows)?;
            if !cfg!(unix) {
                // This platform cannot open a folder to lock it: only one process at a time may change the
                // folder.
                return Ok(None);
            }
            let folder = File::open(folder)?;
            take_turn(&folder)?;
            Ok(Some(folder))
        };
        take().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => CatalogError::NotFound(named(id)),
            _ => at(&self.shown)(error),
        })
    }

    fn write(&self, path: &Path, id: &WorkflowId, text: &str) -> io::Result<()> {
        // A symbolic link within the home is kept.
        let path = if path.is_symlink() { self.inside(path)? } else { path.to_owned() };
        let temporary = path.with_file_name(unfinished(id.as_str()));
        replace(&path, &temporary, text.as_bytes(), Content::Personal)
    }
}

/// Why the files of a folder cannot be replaced or deleted: it is the folder that has to be written for that.
fn unwritable(folder: &Path, shown: &Path) -> Option<String> {
    #[cfg(unix)]
    let found = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).map_err(io::Error::from);
    #[cfg(not(unix))]
    let found = match fs::metadata(folder) {
        Ok(found) if found.permissions().readonly() => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        found => found.map(|_| ()),
    };
    found.err().map(|error| format!("the folder {} cannot be written: {error}", shown.display()))
}

/// The text of a file under `root`, if it may be read.
fn read_within(root: &Path, path: &Path) -> Result<String, Unreadable> {
    let problem = |text: String| Err(Unreadable::Problem(text));
    let metadata = match fs::symlink_metadata(path)? {
        link if link.is_symlink() => match inside(root, path) {
            Ok(target) => fs::metadata(target)?,
            Err(_) => {
                return problem("it is a symbolic link that is broken or leads out of the home".to_owned());
            }
        },
        metadata => metadata,
    };
    if !metadata.is_file() {
        return problem("it is not a file".to_owned());
    }
    let real = match inside(root, path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return problem(error.to_string()),
        real => real?,
    };
    let mut text = Vec::new();
    File::open(real)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return problem(too_large(metadata.len()));
    }
    String::from_utf8(text).or_else(|error| problem(format!("it is not UTF-8: {}", error.utf8_error())))
}

/// Resolves symbolic links, and refuses a path outside of `root`.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let real = fs::canonicalize(path)?;
    if real.starts_with(fs::canonicalize(root)?) {
        Ok(real)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the path leads out of the home"))
    }
}

/// Refuses a text that is not a valid definition with that id.
fn check(id: &WorkflowId, text: &str) -> Result<(), CatalogError> {
    if text.len() as u64 > LARGEST {
        return Err(CatalogError::Invalid(too_large(text.len() as u64)));
    }
    let errors: Vec<_> =
        parse(text.as_bytes(), Some(id)).diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(Diagnostics(errors).to_string())) }
}

fn document(id: WorkflowId, shown: &Path, text: String) -> Document {
    let version = Version(BundleHash::of(&text).as_str().to_owned());
    Document { id, origin: shown.display().to_string(), text, version }
}

fn named(id: &WorkflowId) -> String {
    format!("workflow `{id}`")
}

fn two_files(id: &WorkflowId) -> String {
    let [first, second] = ENDINGS;
    format!("there are both {id}{first} and {id}{second}: delete one of them")
}

fn too_large(size: u64) -> String {
    format!("it has {size} bytes: a definition has at most {LARGEST}")
}

fn at(place: &Path) -> impl FnOnce(io::Error) -> CatalogError {
    move |source| CatalogError::Io { place: place.display().to_string(), source: Arc::new(source) }
}
