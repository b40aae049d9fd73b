//! A host with a catalog on the disk, runs in memory, and a provider that answers at once.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::executor::block_on;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_exec::Engine;
use workflow_service::notifications::{TestNotice, TestNotices};
use workflow_service::worktrees::{FileChange, RunChanges, RunCommit, RunWorktrees, WorktreeFolder};
use workflow_service::{Caller, Envelope, Service, ServiceError};
use workflow_store::FsCatalog;

/// Repeats its prompt, and prints it; fails, also at the first attempt only, or waits to be stopped when it is asked to.
struct Echo;

#[async_trait]
impl Provider for Echo {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        for line in request.prompt.lines() {
            context.output(OutputKind::Stdout, line);
        }
        if request.prompt == "long" {
            for _ in 0..60 {
                context.output(OutputKind::Text, "x".repeat(60 << 10));
            }
        }
        if request.prompt.contains("flaky") && context.id().attempt == 1 {
            context.output(OutputKind::Stderr, "\x1b[31mno connection\x1b[0m");
            return Err(ProviderError::transient("no connection"));
        }
        if request.prompt.contains("hold") {
            context.stop().wait(Stop::AtOnce).await;
            return Err(ProviderError::permanent("stopped"));
        }
        if request.prompt.contains("fail") {
            return Err(ProviderError::permanent("told to fail"));
        }
        Ok(Reply::text(request.prompt))
    }
}

/// The worktree of the run `r6`, which changed a file.
#[derive(Default)]
struct Folders {
    is_removed: AtomicBool,
}

#[async_trait]
impl RunWorktrees for Folders {
    async fn list(&self) -> Result<Vec<WorktreeFolder>, ServiceError> {
        let folder = WorktreeFolder {
            run_id: "r6".parse().unwrap(),
            path: "/worktrees/r6".into(),
            branch: "workflow/r6".to_owned(),
            used_at: None,
        };
        Ok(if self.is_removed.load(Relaxed) { Vec::new() } else { vec![folder] })
    }

    async fn changes(&self, run: &RunId, with_diff: bool) -> Result<Option<RunChanges>, ServiceError> {
        Ok((run.as_str() == "r6").then(|| RunChanges {
            base: "0".repeat(40),
            branch: "workflow/r6".to_owned(),
            commits: vec![RunCommit { id: "1".repeat(40), subject: "1/greet[0]/run".to_owned() }],
            files: vec![FileChange { path: "a".to_owned(), added: Some(1), removed: None }],
            diff: with_diff.then(|| "+a\n".repeat(2 << 20)),
            truncated: false,
        }))
    }

    async fn patch(&self, run: &RunId) -> Result<Option<String>, ServiceError> {
        Ok((run.as_str() == "r6").then(|| "+a\n".to_owned()))
    }

    async fn remove(&self, run: &RunId) -> Result<bool, ServiceError> {
        self.is_removed.store(true, Relaxed);
        Ok(run.as_str() == "r6")
    }
}

/// The targets `team`, which can be told, and `broken`, which cannot.
struct Targets;

#[async_trait]
impl TestNotices for Targets {
    async fn test(&self, target: &str) -> Result<TestNotice, ServiceError> {
        let problem = match target {
            "team" => None,
            "broken" => Some("no answer".to_owned()),
            _ => return Err(ServiceError::not_found(format!("there is no target `{target}`"))),
        };
        Ok(TestNotice { id: "ntc_1".to_owned(), delivered: problem.is_none(), problem })
    }
}

/// A service and what it works on.
pub(crate) struct Host {
    pub service: Service,
    pub home: tempfile::TempDir,
}

impl Host {
    /// A host with an empty home.
    pub(crate) fn new() -> Self {
        Self::over(MemoryStore::new())
    }

    /// The same with its runs in that store.
    pub(crate) fn over(store: impl RunStore + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        let catalog = FsCatalog::open(home.path()).unwrap();
        let mut engine = Engine::builder().catalog(catalog).store(store);
        for provider in ["command", "demo", "echo"] {
            engine = engine.provider(provider, Echo);
        }
        let engine = engine.build().unwrap();
        let service = Service::builder(engine)
            .worktrees(Folders::default())
            .notifications(Targets)
            .store_place("memory")
            .build();
        Self { service, home }
    }

    /// Writes a file of the home by hand.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The files of the home, by their paths.
    pub(crate) fn files(&self) -> Vec<String> {
        fn add(folder: &std::path::Path, files: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { add(&path, files) } else { files.push(path.display().to_string()) }
            }
        }
        let mut files = Vec::new();
        add(self.home.path(), &mut files);
        files.sort();
        files
    }

    /// Calls an operation as the host itself.
    pub(crate) fn call(&self, name: &str, request: &str) -> Envelope {
        block_on(self.service.call(name, request, &Caller::host()))
    }

    /// Drives a run until it is idle.
    pub(crate) fn drive(&self, run: &str) {
        block_on(self.service.engine().drive(&run.parse().unwrap())).unwrap();
    }

    /// The response of a call that has to succeed.
    pub(crate) fn data(&self, name: &str, request: &str) -> Value {
        data(&self.call(name, request))
    }
}

/// The response in an envelope, which must be a success.
pub(crate) fn data(envelope: &Envelope) -> Value {
    assert!(envelope.success, "{}", envelope.to_json());
    serde_json::from_str(envelope.data.as_ref().unwrap().get()).unwrap()
}
