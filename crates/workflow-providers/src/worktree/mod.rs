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
use workflow_core::definition::WorktreeSpec;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::provider::{
    CallContext, CallId, CallRequest, Checkup, Provider, ProviderError, Reply, Workspace,
};
use workflow_core::stop::StopSource;

use self::git::Git;
use self::open::Open;
use self::settings::Settings;
use crate::process::{self, Control};

pub use self::changes::{Changes, Commit, FileChange};
pub use self::clean_up::Worktree;

/// Gives each run that asks for it ([`Workspace::Isolated`]) a git worktree of its own: a folder with the
/// files of the commit that the repository's checkout was at when the run first worked. The checkout itself
/// is not changed; its uncommitted changes are not in the worktree.
///
/// Calls work there, in the folder that corresponds to the one that the repository was named by. After a call
/// that changed files, all of them but the ignored ones are committed on the branch `workflow/<run>` (the workflow can
/// say how the name begins), with the node's path as message; parallel calls work in the same files, and each call
/// commits what it finds when it ends. The changes of a call that failed, was stopped, or died with its host are committed as well,
/// and the message says so. Hooks do not run, and nothing is signed. The id of the commit and a summary of
/// its changes are in [`Reply::details`], or in the details of the failure, under `worktree`.
///
/// All state is kept in git: the branch, and `refs/workflow/<run>/…`, the base commit of the run. So another
/// process, or one after a crash, continues in the same worktree; if it was removed, it is created again from
/// the branch. A run begins with the commit that the checkout is at then, or with the one that its workflow names; a fork is
/// a run of its own and begins with the commit that the other run was at.
///
/// Git's configuration is read once, before the first call of the run, and recorded beside the worktrees
/// (`.pinned`) together with the path of the worktree, until [`Worktrees::clean_up`] removes both. Whatever a
/// call changes in the configuration, in the `.git` of its worktree or in repositories that it creates there,
/// the host's git does not read it: only the filters that the user had configured are executed. A worktree
/// that differs from the recorded one, or has lost its branch, fails the call with `changed_worktree` in the
/// details of the failure: the files are kept as they are, and the message says how to repair it. Filters
/// whose program is a file of the repository are the exception: calls can change that file.
///
/// ```
/// use workflow_providers::{CommandProvider, Worktrees};
///
/// let worktrees = Worktrees::builder(".", "worktrees").keep_runs(5).build();
/// let commands = worktrees.wrap(CommandProvider::new());
/// ```
#[derive(Debug, Clone)]
pub struct Worktrees(Arc<Settings>);

/// Configures [`Worktrees`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WorktreesBuilder(Settings);

impl WorktreesBuilder {
    /// Sets how many runs' worktrees [`Worktrees::clean_up`] keeps. Default: 20.
    pub fn keep_runs(mut self, runs: usize) -> Self {
        self.0.keep_runs = runs;
        self
    }

    /// Sets how many bytes the files in all worktrees may have before [`Worktrees::clean_up`] removes some.
    /// Default: 10 GiB.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.0.keep_bytes = bytes;
        self
    }

    /// Sets how long a call waits while another process creates, commits or removes a worktree, before it
    /// fails (and is retried, as the node says). Default: 15 minutes, because creating a large one takes
    /// time.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.0.lock_timeout = timeout;
        self
    }

    /// Builds the worktrees.
    pub fn build(self) -> Worktrees {
        Worktrees(Arc::new(self.0))
    }
}

impl Worktrees {
    /// Creates a builder for worktrees of the repository that contains the folder `repository`. They are
    /// created in `directory`, which is created when it is needed. Several processes, and several
    /// repositories, may use the same directory.
    pub fn builder(repository: impl AsRef<Path>, directory: impl AsRef<Path>) -> WorktreesBuilder {
        // It only fails if there is no current directory; the first call reports that.
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

    /// Wraps the provider, so that calls of runs that ask for it work in worktrees. Other calls are passed on
    /// unchanged.
    pub fn wrap<P: Provider>(&self, provider: P) -> InWorktree<P> {
        InWorktree { provider, worktrees: self.clone() }
    }

    /// The branch that a run will have, by what its workflow says. One that has worked has that of
    /// [`Worktrees::branch_of`], whatever its workflow says by now.
    pub fn new_branch(run: &RunId, spec: Option<&WorktreeSpec>) -> String {
        settings::branch(run, spec)
    }

    /// Executes `work` with git, outside of any call.
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
            Workspace::IsolatedFrom(origin) => Some(origin.clone()),
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
        // The changes of a call that was told to stop are kept all the same.
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| finish(&id, open, result, control)).await
    }

    fn takes_exact_numbers(&self) -> bool {
        self.provider.takes_exact_numbers()
    }

    /// Needed to commit the changes of a call that was told to stop.
    fn needs_grace(&self) -> bool {
        true
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.provider.reclaim(call).await?;
        // Stops the git of a host that died: the next call relies on that when it removes stale locks.
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

    async fn checkup(&self) -> Option<Checkup> {
        self.provider.checkup().await
    }
}

/// Commits the changes of a call, and adds them to its result.
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
    let branch = open.branch.clone();
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
            // The result of the call itself decides what is done next.
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
