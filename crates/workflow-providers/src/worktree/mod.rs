//! A git worktree per run, around the providers that work in it.

mod changes;
mod clean_up;
mod config;
mod folder;
mod git;
mod locks;
mod make;
mod nested;
mod open;
mod pinned;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply, Workspace};
use workflow_core::stop::StopSource;

use self::git::Git;
use self::open::Open;
use self::settings::Settings;
use crate::process::{self, Control};

pub use self::changes::{Changes, Commit};

/// Gives each run that asks for it ([`Workspace::Isolated`]) a git worktree of its own: a folder with the files of the
/// commit that the repository's checkout was at when the run first worked. The checkout itself is not touched; what is
/// not committed there is not in the worktree.
///
/// Calls work there, in the folder that the repository was named by. After a call that changed files, all of them but
/// the ignored are committed on the branch `workflow/<run>`, with the node's path as message; calls in parallel work
/// in the same files, and whichever ends first commits what is there. What a call leaves that failed, was stopped, or
/// died with its host is committed as well, and the message says so. Hooks do not run, nothing is signed. The id of
/// the commit and what it changed are in [`Reply::details`], or in those of the failure, under `worktree`.
///
/// All state is git's: the branch, and `refs/workflow/<run>/…`, the commit that the run began with. So another
/// process, or one after a crash, goes on in the same worktree; where it was removed it is made again of the branch.
/// A fork is a run of its own: it begins with the commit that the checkout is at then.
///
/// Git's configuration is read once, before the first call of the run, and recorded beside the worktrees (`.pinned`)
/// together with where the worktree is, until [`Worktrees::clean_up`] removes both. Whatever a call changes in the configuration, in the `.git` of its worktree or in
/// repositories that it makes there, the git of the host does not read it: filters are those that the user had set, and
/// nothing else is executed. A worktree that is no longer the one that was recorded, or has lost its branch, fails the
/// call with `changed_worktree` in the details of the failure: the files stay as they are, and the message tells how to
/// repair it. Filters whose program is a file of the repository are the exception: that file is what the calls made of it.
///
/// ```
/// use workflow_providers::{CommandProvider, Worktrees};
///
/// let worktrees = Worktrees::builder(".", "worktrees").keep_runs(5).build();
/// let commands = worktrees.wrap(CommandProvider::new());
/// ```
#[derive(Debug, Clone)]
pub struct Worktrees(Arc<Settings>);

/// Sets up [`Worktrees`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WorktreesBuilder(Settings);

impl WorktreesBuilder {
    /// How many runs' worktrees are kept by [`Worktrees::clean_up`]. Default: 20.
    pub fn keep_runs(mut self, runs: usize) -> Self {
        self.0.keep_runs = runs;
        self
    }

    /// How many bytes the files in all worktrees may have for [`Worktrees::clean_up`] to keep them. Default: 10 GiB.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.0.keep_bytes = bytes;
        self
    }

    /// How long a call waits while another process makes, commits or removes a worktree, before it fails (and is tried
    /// again, as the node says). Default: 15 minutes, as to make a large one takes its time.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.0.lock_timeout = timeout;
        self
    }

    /// The worktrees.
    pub fn build(self) -> Worktrees {
        Worktrees(Arc::new(self.0))
    }
}

impl Worktrees {
    /// Worktrees of the repository that has the folder `repository`, made in `directory`, which is made when it is
    /// needed. Several processes, and several repositories, may use the same directory.
    pub fn builder(repository: impl AsRef<Path>, directory: impl AsRef<Path>) -> WorktreesBuilder {
        // It fails only when there is no current directory; then the first call says so.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        WorktreesBuilder(Settings {
            repository: absolute(repository.as_ref()),
            directory: absolute(directory.as_ref()),
            keep_runs: 20,
            keep_bytes: 10 << 30,
            lock_timeout: Duration::from_secs(900),
            known: Arc::default(),
        })
    }

    /// The provider, in worktrees: calls of runs that ask for it. Others go to it as they are.
    pub fn wrap<P: Provider>(&self, provider: P) -> InWorktree<P> {
        InWorktree { provider, worktrees: self.clone() }
    }

    /// The branch of a run.
    pub fn branch(run: &RunId) -> String {
        settings::branch(run)
    }

    /// Does `work` with git, outside of any call.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Settings, &Git<'_>) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let (settings, never) = (self.0.clone(), StopSource::new().signal());
        process::on_own_thread(&never, move |control| work(&settings, &Git::outside(control))).await
    }
}

/// A provider in worktrees; see [`Worktrees::wrap`].
#[derive(Debug, Clone)]
pub struct InWorktree<P> {
    provider: P,
    worktrees: Worktrees,
}

#[async_trait]
impl<P: Provider> Provider for InWorktree<P> {
    async fn call(&self, mut request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let origin = match &request.workspace {
            Workspace::Isolated => None,
            Workspace::Forked(origin) => Some(origin.clone()),
            _ => return self.provider.call(request, context).await,
        };
        let (settings, id) = (self.worktrees.0.clone(), request.id.clone());
        let open = process::on_own_thread(context.stop(), move |control| {
            settings.open(&id, origin.as_deref(), &Git::of_call(&id, control))
        });
        let open = open.await?;
        request.workspace = Workspace::At(open.work_root.clone());
        let id = request.id.clone();
        let result = self.provider.call(request, context).await;
        // A call that was told to stop keeps what it did all the same.
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| finish(&id, open, result, control)).await
    }

    fn takes_exact_numbers(&self) -> bool {
        self.provider.takes_exact_numbers()
    }

    /// To commit what a call did that was told to stop.
    fn needs_grace(&self) -> bool {
        true
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.provider.reclaim(call).await?;
        // The git of a host that died: what it leaves locked is unlocked by the next call, which relies on this.
        let (call, never) = (call.clone(), StopSource::new().signal());
        process::on_own_thread(&never, move |control| process::reclaim(&call, git::GRACE, control)).await
    }

    fn options_schema(&self) -> Option<Value> {
        self.provider.options_schema()
    }

    fn has_skill(&self, name: &str) -> bool {
        self.provider.has_skill(name)
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        self.provider.check_options(options)
    }
}

/// Commits what a call changed, and says so in what it came to.
fn finish(
    id: &CallId,
    open: Open,
    result: Result<Reply, ProviderError>,
    control: &Arc<Control>,
) -> Result<Reply, ProviderError> {
    let mark = match &result {
        Ok(_) => "",
        Err(error) if error.failure.class == FailureClass::Cancelled => " (stopped)",
        Err(_) => " (failed)",
    };
    let message = format!("{}{mark}\n\nAttempt {} of run {}.\n", id.path, id.attempt, id.run);
    let branch = Worktrees::branch(&id.run);
    let committed = open.finish(&message, &Git::of_call(id, control)).map(|commit| {
        commit.map(|(commit, stat)| json!({ "branch": branch, "commit": commit, "stat": stat }))
    });
    match (result, committed) {
        (Ok(reply), Ok(Some(commit))) => {
            let details = with(reply.details.map(|details| *details), commit);
            Ok(Reply { details: Some(Box::new(details)), ..reply })
        }
        (Err(mut error), Ok(Some(commit))) => {
            error.failure.details = Some(with(error.failure.details, commit));
            Err(error)
        }
        (result, Ok(None)) => result,
        // The output is kept with the error.
        (Ok(reply), Err(error)) => {
            Err(ProviderError { usage: reply.usage, output: Some(reply.output), ..error })
        }
        (Err(mut error), Err(unsaved)) => {
            // What the call itself came to decides what is done next.
            error.failure.message = format!("{}; and: {unsaved}", error.failure.message);
            Err(error)
        }
    }
}

fn with(details: Option<Value>, commit: Value) -> Value {
    match details {
        Some(Value::Object(mut details)) => {
            details.insert("worktree".to_owned(), commit);
            details.into()
        }
        Some(details) => json!({ "details": details, "worktree": commit }),
        None => json!({ "worktree": commit }),
    }
}
