//! The server: connections, their limits, and how it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::auth::{Guard, Tokens};
use super::rate::Rate;
use super::router;
use super::server::Server;
use super::site::Site;
use crate::service::Service;

/// How long to wait after a connection could not be accepted, because there are too many open files.
const AGAIN: Duration = Duration::from_millis(100);

/// How a server behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Who may call.
    pub tokens: Tokens,
    /// Names, with ports, that the server has besides its own address and `localhost`.
    pub hosts: Vec<String>,
    /// Sites whose pages may call besides its own: `https://studio.example`.
    pub origins: Vec<String>,
    /// A page that is served beside the interface; none unless set.
    pub site: Option<Site>,
    /// How many requests a caller may send in a second, on average; 200 unless set.
    pub requests_per_second: u32,
    /// How many operations are carried out at once; 256 unless set.
    pub operations: usize,
    /// How many streams there may be; 10,000 unless set.
    pub streams: usize,
    /// How long a client may take to send the head of a request, and its body; 15 s each unless set.
    pub patience: Duration,
    /// How long requests that are under way may take when the server stops; 10 s unless set.
    pub grace: Duration,
}

impl Options {
    /// The defaults, for callers with these tokens.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            hosts: Vec::new(),
            origins: Vec::new(),
            site: None,
            requests_per_second: 200,
            operations: 256,
            streams: 10_000,
            patience: Duration::from_secs(15),
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves HTTP/1.1 on `listener` until `stop` completes. Then no more connections are accepted, streams end, and
/// requests that are under way have the grace period to complete.
///
/// Needs a tokio runtime with time and I/O. Dropping the future closes all connections.
///
/// # Errors
///
/// Those of the listener's address.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    options: Options,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let mut hosts = own_names(address);
    hosts.extend(options.hosts);
    let (stopping, is_stopping) = watch::channel(false);
    let server = Arc::new(Server {
        service,
        guard: Guard::new(options.tokens, hosts, options.origins),
        rate: Rate::new(options.requests_per_second),
        operations: Semaphore::new(options.operations),
        streams: Arc::new(Semaphore::new(options.streams)),
        patience: options.patience,
        site: options.site,
        stopping: is_stopping,
    });
    // A stream needs a connection, and others need some beside them.
    let connections = Arc::new(Semaphore::new(options.streams + 1_000));
    let router = router(server);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(options.patience).max_headers(100);
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = connections.clone().acquire_owned().await;
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            },
        };
        // A message of a stream is sent at once, and not only when the client has acknowledged the one before: clients
        // delay that by up to 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection sends its messages late");
        }
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    stopping.send_replace(true);
    if tokio::time::timeout(options.grace, open.shutdown()).await.is_err() {
        tracing::warn!("requests that were under way when the server stopped were cut off");
    }
    Ok(())
}

/// The names of an address: the address itself, and `localhost` for one of the machine.
fn own_names(address: SocketAddr) -> Vec<String> {
    let mut names = vec![address.to_string()];
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        let port = address.port();
        names.extend([format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    }
    names
}
