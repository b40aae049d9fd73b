//! The engine of this program: the store of a place, the providers, and the secrets.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::Stream;
use jiff::Timestamp;
use workflow_core::actor::Actor;
use workflow_core::definition::Defaults;
use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;
use workflow_core::store::StoreError;
use workflow_exec::{Clock, Engine, EngineBuilder, EngineError, Spawn};
use workflow_providers::{
    AcpProvider, ClaudeCodeProvider, CodexProvider, CommandProvider, DemoProvider, GeminiProvider,
    GrokProvider, HttpProvider, ModelProvider, Network, Price, Worktrees, working_time,
};
use workflow_service::metrics::Metrics;
use workflow_service::notify::{Hints, Notifier};
use workflow_service::{Batch, Caller, Operation, Scope, Service, Subscribe};
use workflow_store::{Folders, FsCatalog, MemoryStore};

use crate::display::Bell;
use crate::error::Error;
use crate::home::Home;
use crate::prices;
use crate::reference::RunRef;
use crate::secrets::{self, Sources};
use crate::store_url::{Opened, Place};

/// The provider of command lines, which is also the default of stages that name none.
const COMMAND: &str = "command";
/// The provider that calls no program or service.
const DEMO: &str = "demo";

/// The names of all providers.
pub(crate) const PROVIDERS: [&str; 9] =
    [COMMAND, "acp", "claude-code", "codex", "gemini", "grok", "http", "model", DEMO];

/// What a process does beside driving runs, where its user asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// Tell the targets of the home what happens.
    pub notify: bool,
    /// Count what the engine does.
    pub metrics: Option<Metrics>,
}

/// The parts that commands work with.
pub(crate) struct Host {
    /// The engine, for commands that drive runs.
    pub engine: Engine,
    /// The operations, for all other commands.
    pub service: Service,
    /// The catalog, for commands that drive runs of files.
    pub catalog: Arc<FsCatalog>,
    /// The worktrees of runs.
    pub worktrees: Worktrees,
    /// Wakes the display when a run that this process drives has something new to show.
    pub bell: Arc<Bell>,
    /// What tells the targets of the home, if it was asked for.
    pub notifier: Option<Notifier>,
    /// Why the runs of the store are not driven, if they are not.
    distrust: Option<Error>,
}

impl Host {
    /// Opens a place to drive runs, and creates it if it does not exist.
    pub(crate) fn open(place: &Place) -> Result<Self, Error> {
        Self::with(&place.home, place.open()?, |builder| builder)?.trusted()
    }

    /// The same, with events shown to `sink` too.
    pub(crate) fn open_for(
        place: &Place,
        sink: impl EventSink + 'static,
        beside: &Beside,
    ) -> Result<Self, Error> {
        Self::with_more(&place.home, place.open()?, beside, |builder| builder.sink(sink))?.trusted()
    }

    /// The same for a server: runs are driven in the background, by `spawn`.
    pub(crate) fn open_on(
        place: &Place,
        spawn: impl Spawn + 'static,
        beside: &Beside,
    ) -> Result<Self, Error> {
        Self::with_more(&place.home, place.open()?, beside, |builder| builder.spawner(spawn))?.trusted()
    }

    /// Carries out an operation as the user of the terminal.
    pub(crate) async fn ask<O: Operation>(&self, request: O) -> Result<O::Response, Error> {
        self.service.ask(&caller(), request).await.map_err(Error::Service)
    }

    /// Follows runs as the user of the terminal.
    pub(crate) async fn subscribe(
        &self,
        request: Subscribe,
    ) -> Result<impl Stream<Item = Batch> + Unpin + use<>, Error> {
        self.service.subscribe(&caller(), request).await.map_err(Error::Service)
    }

    /// Refuses to drive runs of a store that is not known to be the user's.
    pub(crate) fn trusted(mut self) -> Result<Self, Error> {
        match self.distrust.take() {
            Some(distrust) => Err(distrust),
            None => Ok(self),
        }
    }

    /// Opens a place to read its runs; `None` if it does not exist. It is not created.
    pub(crate) fn existing(place: &Place) -> Result<Option<Self>, Error> {
        place.open_existing()?.map(|store| Self::with(&place.home, store, |builder| builder)).transpose()
    }

    /// Opens the place of a run, and finds the run.
    pub(crate) async fn of_run(place: &Place, run: &RunRef) -> Result<(Self, RunId), Error> {
        let found = match Self::existing(place)? {
            Some(host) => run.find(&**host.engine.store()).await.map(|run| (host, run)),
            None => Err(Error::NoStore(place.to_string())),
        };
        match found {
            Err(Error::NoStore(_) | Error::Store(StoreError::NotFound(_)))
                if run.is_foreign(&place.home.path)? =>
            {
                Err(Error::Foreign(run.to_string()))
            }
            found => found,
        }
    }

    /// Opens only the workflows of a home.
    pub(crate) fn for_definitions(home: &Home) -> Result<Self, Error> {
        let opened = Opened { store: Arc::new(MemoryStore::new()), place: None, distrust: None };
        Self::with(home, opened, |builder| builder)
    }

    fn with(
        home: &Home,
        opened: Opened,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Result<Self, Error> {
        Self::with_more(home, opened, &Beside::default(), more)
    }

    fn with_more(
        home: &Home,
        Opened { mut store, place, distrust }: Opened,
        beside: &Beside,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Result<Self, Error> {
        let worktrees = Worktrees::builder(&home.root, home.path.join("worktrees")).build();
        let mut folders = Folders::default();
        folders.roles.clone_from(&home.roles);
        if let Some(missing) = home.roles.iter().find(|folder| !folder.is_dir()) {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(Error::File { path: missing.clone(), source });
        }
        let catalog = Arc::new(FsCatalog::with_folders(&home.path, folders)?);
        let bell = Arc::new(Bell::default());
        let mut builder = more(builder(&worktrees, home, &network()?, prices::of(home)?));
        if let Some(key) = secrets::run_key()? {
            builder = builder.run_key(key);
        }
        if let Some(metrics) = &beside.metrics {
            store = metrics.store(store);
            builder = builder.sink(metrics.clone());
        }
        let hints = beside.notify.then(Hints::default);
        if let Some(hints) = &hints {
            builder = builder.sink(hints.clone());
        }
        if home.is_of_app() {
            builder = builder.defaults(Defaults::coding_agents());
        }
        let engine = builder
            .store(store)
            .catalog(catalog.clone())
            .sink(bell.clone())
            .build()
            .map_err(EngineError::from)?;
        let mut service = Service::builder(engine.clone()).worktrees(worktrees.clone());
        if let Some(place) = place {
            service = service.store_place(place);
        }
        let notifier = hints.map(|hints| {
            let notifier = Notifier::builder(engine.store().clone()).hints(hints).catalog(catalog.clone());
            notifier.directory(&home.root).build()
        });
        if let Some(notifier) = &notifier {
            service = service.notifications(notifier.clone());
        }
        let service = service.build();
        Ok(Self { engine, service, catalog, worktrees, bell, notifier, distrust })
    }
}

/// The user of the terminal, who may do everything.
fn caller() -> Caller {
    Caller::new(user(), "terminal").scopes(Scope::ALL)
}

/// The user of the terminal, as the logs of runs record it.
pub(crate) fn actor() -> Actor {
    caller().actor()
}

/// Who runs this program: the name, or the number where the environment has no name.
pub(crate) fn user() -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let number = || format!("user {}", rustix::process::geteuid().as_raw());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(number)
}

/// The network of `http` and `model`: public addresses, and the private hosts that the user names.
pub(crate) fn network() -> Result<Network, Error> {
    const HOSTS: &str = "WORKFLOW_PRIVATE_HOSTS";
    let hosts = std::env::var(HOSTS).unwrap_or_default();
    let mut hosts = hosts.split([',', ' ']).filter(|host| !host.is_empty());
    hosts
        .try_fold(Network::public(), Network::allow_private)
        .map_err(|error| Error::Refused(format!("{HOSTS}: {error}")))
}

fn builder(
    worktrees: &Worktrees,
    home: &Home,
    network: &Network,
    prices: Vec<(String, Price)>,
) -> EngineBuilder {
    let model = ModelProvider::builder().network(network.clone());
    let model = prices.into_iter().fold(model, |model, (name, price)| model.price(name, price));
    let root = &home.root;
    let denied = home.own_files();
    let claude_code = ClaudeCodeProvider::builder().work_root(root).deny_write(&denied).build();
    let gemini = GeminiProvider::builder().work_root(root).deny_write(&denied).build();
    let grok = GrokProvider::builder().work_root(root).deny_write(&denied).build();
    Engine::builder()
        .provider(COMMAND, worktrees.wrap(CommandProvider::builder().work_root(root).build()))
        .provider("claude-code", worktrees.wrap(claude_code))
        .provider("acp", worktrees.wrap(AcpProvider::builder().work_root(root).build()))
        .provider("codex", worktrees.wrap(CodexProvider::builder().work_root(root).build()))
        .provider("gemini", worktrees.wrap(gemini))
        .provider("grok", worktrees.wrap(grok))
        .provider("http", HttpProvider::builder().network(network.clone()).build())
        .provider("model", model.build())
        .provider(DEMO, DemoProvider::new())
        .default_provider(COMMAND)
        .secrets(Sources::of_environment())
        .clock(WorkingClock)
}

/// The clock of the system. Time limits do not pass while Ctrl-Z has the calls suspended.
struct WorkingClock;

impl Clock for WorkingClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Option<Duration> {
        Some(working_time())
    }
}
