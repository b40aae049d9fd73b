//! Opens connections: to the first of the hosts that answers and is writable.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use deadpool_postgres::Connect;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket};

use super::password::Password;
use super::url::Settings;
use super::wire::{Connector, Wire};

/// Opens connections. Clones share what they know of the hosts.
#[derive(Clone)]
pub(in crate::postgres) struct Opener(Arc<Inner>);

struct Inner {
    /// The configuration for each host, in the order of the URL.
    hosts: Vec<Config>,
    connector: Connector,
    password: Password,
    /// How long one host may take.
    limit: Duration,
    /// The host that was connected to last: it is tried first.
    last: AtomicUsize,
}

impl Opener {
    /// Opens connections to the hosts of a URL. `limit` is for all of them together.
    pub(in crate::postgres) fn new(settings: Settings, limit: Duration) -> Result<Self, String> {
        let Settings { mut config, tls, password, .. } = settings;
        let connector = Connector::new(&mut config, &tls)?;
        let hosts = one_by_one(&config);
        let share = limit / u32::try_from(hosts.len()).unwrap_or(u32::MAX).max(1);
        let limit = config.get_connect_timeout().map_or(share, |given| share.min(*given));
        Ok(Self(Arc::new(Inner { hosts, connector, password, limit, last: AtomicUsize::new(0) })))
    }

    /// How it connects, for requests to cancel a statement.
    pub(in crate::postgres) fn connector(&self) -> Connector {
        self.0.connector.clone()
    }

    /// Connects to the first host that answers in time and is writable, if that is required.
    pub(in crate::postgres) async fn open(
        &self,
    ) -> Result<(Client, Connection<Socket, Wire<Socket>>), Error> {
        let Inner { hosts, last, .. } = &*self.0;
        let first = last.load(Ordering::Relaxed);
        let mut failed: Vec<(String, Error)> = Vec::new();
        for number in (0..hosts.len()).map(|offset| (first + offset) % hosts.len()) {
            match self.open_one(&hosts[number]).await {
                Ok(opened) => {
                    last.store(number, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(error) => failed.push((name(&hosts[number]), error)),
            }
        }
        if failed.len() > 1 {
            let all: Vec<_> = failed.iter().map(|(host, error)| format!("{host}: {}", said(error))).collect();
            return Err(failure(io::Error::new(io::ErrorKind::NotConnected, all.join("; "))).await);
        }
        match failed.pop() {
            Some((_, error)) => Err(error),
            None => Err(failure(io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host")).await),
        }
    }

    async fn open_one(&self, host: &Config) -> Result<(Client, Connection<Socket, Wire<Socket>>), Error> {
        let Inner { connector, password, limit, .. } = &*self.0;
        let mut config = host.clone();
        let opening = async {
            if let Err(error) = password.set(&mut config).await {
                return Err(failure(error).await);
            }
            config.connect(connector.clone()).await
        };
        // A server that is suspended accepts a connection and does not answer.
        match tokio::time::timeout(*limit, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(failure(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")).await),
        }
    }
}

impl Connect for Opener {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        async move {
            let (client, connection) = self.open().await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the database has ended");
                }
            });
            Ok((client, task))
        }
        .boxed()
    }
}

/// A configuration for each host of `config`. The library's own loop over hosts has no time limit for a server
/// that accepts connections and does not answer.
fn one_by_one(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let consistent = addresses.is_empty() || addresses.len() == hosts.len();
    if count < 2 || !consistent || (ports.len() > 1 && ports.len() != count) {
        // The library reports numbers that do not fit.
        return vec![config.clone()];
    }
    (0..count).map(|number| one_of(config, number)).collect()
}

fn one_of(all: &Config, number: usize) -> Config {
    let mut one = Config::new();
    match all.get_hosts().get(number) {
        Some(Host::Tcp(host)) => drop(one.host(host)),
        #[cfg(unix)]
        Some(Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    let ports = all.get_ports();
    all.get_hostaddrs().get(number).map(|address| one.hostaddr(*address));
    ports.get(number).or_else(|| ports.first()).map(|port| one.port(*port));
    all.get_user().map(|user| one.user(user));
    all.get_password().map(|password| one.password(password));
    all.get_dbname().map(|name| one.dbname(name));
    all.get_options().map(|options| one.options(options));
    all.get_application_name().map(|name| one.application_name(name));
    all.get_connect_timeout().map(|time| one.connect_timeout(*time));
    all.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
    all.get_keepalives_interval().map(|time| one.keepalives_interval(time));
    all.get_keepalives_retries().map(|count| one.keepalives_retries(count));
    one.keepalives(all.get_keepalives()).keepalives_idle(all.get_keepalives_idle());
    one.ssl_mode(all.get_ssl_mode()).ssl_negotiation(all.get_ssl_negotiation());
    one.channel_binding(all.get_channel_binding());
    one.target_session_attrs(all.get_target_session_attrs());
    one
}

/// The name of the one host of `config`, for messages.
fn name(config: &Config) -> String {
    let port = config.get_ports().first().map(|port| format!(":{port}")).unwrap_or_default();
    let host = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(host)), _) => host.clone(),
        #[cfg(unix)]
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => "localhost".to_owned(),
    };
    host + &port
}

fn said(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(told), _) => told.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

/// The library's error for something that failed before a connection was opened: its own constructors are
/// private, so it connects over a stream that fails.
async fn failure(error: io::Error) -> Error {
    let mut error = Some(error);
    let mut config = Config::new();
    // The library asks the system for a user where none is set; this one is never sent.
    config.user("nobody");
    loop {
        if let Err(error) = config.connect_raw(Failing(error.take()), NoTls).await {
            return error;
        }
    }
}

/// A stream that fails.
struct Failing(Option<io::Error>);

impl Failing {
    fn error(&mut self) -> io::Error {
        self.0.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncRead for Failing {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.error()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.error()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.error()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
