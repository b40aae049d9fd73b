//! Connections to addresses that were checked.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::SendError;
use super::network::Network;
use super::target::Target;
use super::tls;

/// How long a connection to one address, and the handshake of TLS, may take.
const PATIENCE: Duration = Duration::from_secs(15);

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Makes connections.
pub(super) struct Connector {
    network: Network,
    look_up: Arc<LookUp>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("network", &self.network).finish_non_exhaustive()
    }
}

/// A connection, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Connector {
    pub(super) fn new(network: Network) -> Self {
        Self::with_look_up(network, |host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    pub(super) fn with_look_up(
        network: Network,
        look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { network, look_up: Arc::new(look_up) }
    }

    /// Connects to an address of the host that may be reached. The host is looked up once: what was checked is what is
    /// connected to.
    pub(super) async fn connect(&self, target: &Target<'_>) -> Result<Box<dyn Stream>, SendError> {
        let stream = self.tcp(target).await?;
        if !target.is_secure {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.to_owned())
            .map_err(|_| SendError::Refused(format!("TLS cannot check the name `{}`", target.host)))?;
        let handshake = TlsConnector::from(tls::config().await?).connect(name, stream);
        let secured = within(handshake).await;
        secured.map(|stream| -> Box<dyn Stream> { Box::new(stream) }).map_err(|error| {
            let is_of_certificate = error
                .get_ref()
                .and_then(|error| error.downcast_ref::<rustls::Error>())
                .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
            let problem = format!("TLS with {} failed: {error}", target.host);
            if is_of_certificate { SendError::Refused(problem) } else { SendError::Unreachable(problem) }
        })
    }

    async fn tcp(&self, target: &Target<'_>) -> Result<TcpStream, SendError> {
        let (host, port) = (target.host, target.port);
        let (look_up, name) = (self.look_up.clone(), host.to_owned());
        let found = tokio::task::spawn_blocking(move || look_up(&name, port)).await;
        let found = found
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| SendError::Unreachable(format!("the host {host} is not found: {error}")))?;
        let mut problem = format!("the host {host} has no address");
        let mut is_refused = false;
        let mut allowed = Vec::new();
        for address in found {
            match self.network.refused(host, port, address.ip()) {
                None => allowed.push(address),
                Some(why) => {
                    (problem, is_refused) = (
                        format!(
                            "{host} is {}, {why}: requests to it are refused unless the host of the engine allows them",
                            address.ip()
                        ),
                        true,
                    );
                }
            }
        }
        if allowed.is_empty() && is_refused {
            return Err(SendError::Refused(problem));
        }
        for address in allowed {
            match within(TcpStream::connect(address)).await {
                Ok(stream) => {
                    // Only a matter of speed.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => problem = format!("cannot connect to {host} ({address}): {error}"),
            }
        }
        Err(SendError::Unreachable(problem))
    }
}

/// The outcome of work that must not take too long.
async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("nothing for {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|error| Err(late(error)))
}
