//! `serve`: the host interface, for other programs.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;

use futures::channel::mpsc::UnboundedReceiver;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, FutureExt as _, select};
use futures::io::AllowStdIo;
use futures::sink::SinkExt as _;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use workflow_core::definition::Period;
use workflow_exec::{Engine, Spawn, WorkOptions};
use workflow_service::http::{self, Options, Tokens};
use workflow_service::{Caller, Scope, Service, stdio};

use crate::args::{More, ServeArgs};
use crate::drain::Step;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{Beside, Host, user};
use crate::monitoring::Monitoring;
use crate::notify::Notifying;
use crate::store_url::Place;
use crate::{home, print, signals};

/// The name of the file with the token, in the home.
const TOKEN: &str = "serve-token";
/// How many files may be open beside those of streams: other connections, the store, runs.
const OTHERS: u64 = 3_000;

/// Drives runs on the threads of a runtime.
struct Threads(Handle);

impl Spawn for Threads {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        drop(self.0.spawn(future));
    }
}

/// The engine of a program that serves others, and the runtime that it drives runs on.
pub(super) struct Server {
    pub engine: Engine,
    pub service: Service,
    pub runtime: Runtime,
    signals: UnboundedReceiver<i32>,
    /// What the first signal does.
    first: Step,
    notifying: Option<Notifying>,
}

impl Server {
    /// Opens the store, and drives runs of it that have no driver, unless told not to.
    pub(super) async fn start(
        place: &Place,
        no_worker: bool,
        beside: &Beside,
        drain: Option<Period>,
    ) -> Result<Self, Error> {
        let signals = signals::listen()?;
        let runtime = Runtime::new().map_err(Error::System)?;
        let host = Host::open_on(place, Threads(runtime.handle().clone()), beside)?;
        let Host { engine, service, catalog, notifier, .. } = host;
        let notifying = match notifier {
            Some(notifier) => Some(Notifying::start(notifier, &catalog).await?),
            None => None,
        };
        if !no_worker {
            let worker = engine.clone();
            runtime.spawn(async move {
                if let Err(error) = worker.work(WorkOptions::default()).await {
                    tracing::error!(%error, "runs of the store are no longer driven here");
                }
            });
        }
        Ok(Self { engine, service, runtime, signals, first: Step::first(drain), notifying })
    }

    /// Waits until `served` ends, or a signal arrives, which drops `stop`. Runs that are under way then are left to be
    /// resumed.
    pub(super) async fn until_stopped(
        self,
        served: BoxFuture<'_, Result<(), Error>>,
        stop: oneshot::Sender<()>,
    ) -> Result<Exit, Error> {
        let Self { engine, runtime, mut signals, first, notifying, .. } = self;
        let stopping = async {
            let mut step = first;
            let mut stop = Some(stop);
            while signals.next().await.is_some() {
                drop(stop.take());
                runtime.spawn(step.take(&engine));
                step = step.next();
            }
        };
        let mut stopping = Box::pin(stopping);
        let served = match select(served, &mut stopping).await {
            Either::Left((served, _)) => served,
            // Signals do not end.
            Either::Right(_) => Ok(()),
        };
        // Another signal hurries.
        select(first.take(&engine), stopping).await;
        drop(notifying);
        // A thread may still read standard input.
        runtime.shutdown_background();
        served.map(|()| Exit::DONE)
    }
}

/// Serves until a signal arrives, or until standard input ends.
pub(crate) async fn serve(place: &Place, args: &ServeArgs) -> Result<Exit, Error> {
    let monitoring = args.operating.metrics.map(Monitoring::bind).transpose()?;
    let metrics = monitoring.as_ref().map(|monitoring| monitoring.metrics.clone());
    let beside = Beside { notify: args.operating.notify, metrics };
    let server = Server::start(place, args.no_worker, &beside, args.operating.drain).await?;
    let _monitoring = monitoring.map(|monitoring| monitoring.start(&server.engine)).transpose()?;
    let service = server.service.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = if args.stdio {
        let caller = Caller::new(user(), "stdio").scopes(Scope::ALL);
        let input = stdin()?;
        async move {
            let output = AllowStdIo::new(io::stdout());
            let serve = Box::pin(stdio::serve(&service, &caller, input, output));
            match select(serve, stopped).await {
                Either::Left((served, _)) => served.map_err(Error::Output),
                Either::Right(_) => Ok(()),
            }
        }
        .boxed()
    } else {
        let token = token(&place.home.path, args.token_file.as_deref())?;
        let mut scopes = vec![Scope::Read, Scope::Run];
        if !args.allow.is_empty() {
            scopes.push(Scope::Edit);
        }
        if args.allow.contains(&More::Admin) {
            scopes.push(Scope::Admin);
        }
        let mut tokens = Tokens::default();
        let caller = Caller::new(user(), "http").scopes(scopes);
        tokens.add(&token, caller).map_err(|weak| Error::Refused(weak.to_string()))?;
        let mut options = Options::new(tokens);
        options.hosts.clone_from(&args.hosts);
        options.origins.clone_from(&args.origins);
        allow_files(options.streams as u64 + OTHERS);
        let listen = args.listen;
        let bound = server.runtime.spawn(TcpListener::bind(listen)).await;
        let bound = bound.map_err(|error| Error::System(error.into()))?;
        let listener = bound.map_err(|error| Error::Refused(format!("{listen}: {error}")))?;
        let address = listener.local_addr().map_err(Error::System)?;
        print::line(format!("http://{address}"))?;
        let serving = server.runtime.spawn(http::serve(service, listener, options, stopped.map(drop)));
        async move {
            let served = serving.await.map_err(|error| Error::System(error.into()))?;
            served.map_err(Error::System)
        }
        .boxed()
    };
    server.until_stopped(served, stop).await
}

/// Raises the soft limit of open files to that number, within the hard limit: many systems allow 1,024, and each stream
/// takes one.
fn allow_files(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let current = Some(maximum.map_or(wanted, |most| wanted.min(most)));
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, maximum }) {
            tracing::warn!(%error, "the limit of open files stays as it is: there can be few streams");
        }
    }
}

/// Standard input, read by a thread of its own.
fn stdin() -> Result<impl futures::io::AsyncBufRead + Unpin + Send, Error> {
    let (mut sender, receiver) = mpsc::channel::<io::Result<Vec<u8>>>(4);
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let mut buffer = vec![0; 64 << 10];
            let read = match input.read(&mut buffer) {
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
                Ok(length) => {
                    buffer.truncate(length);
                    Ok(buffer)
                }
            };
            let failed = read.is_err();
            if futures::executor::block_on(sender.send(read)).is_err() || failed {
                return;
            }
        }
    };
    thread::Builder::new().name("stdin".into()).spawn(read).map_err(Error::System)?;
    Ok(receiver.into_async_read())
}

/// The token that callers have to send.
fn token(home: &Path, named: Option<&Path>) -> Result<String, Error> {
    let path = named.map_or_else(|| home.join(TOKEN), PathBuf::from);
    let failed = |source| Error::File { path: path.clone(), source };
    match File::open(&path) {
        Ok(mut file) => {
            if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
                let path = path.display();
                return Err(Error::Refused(format!(
                    "{path}: other users can read the token: `chmod 600 {path}`"
                )));
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            return Ok(text.trim().to_owned());
        }
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
        Err(error) => return Err(failed(error)),
    }
    home::make(home)?;
    let token = random_token()?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(token.as_bytes())).map_err(failed)?;
    print::to_stderr(&format!("callers send the token in {}: `Authorization: Bearer TOKEN`", path.display()));
    Ok(token)
}

/// A token of 128 random bits.
pub(super) fn random_token() -> Result<String, Error> {
    let mut random = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(Error::System)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}
