//! Webhooks: one signed POST request on a connection of its own, to an address that was checked.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use workflow_core::provider::async_trait;

use crate::notify::address::refused;
use crate::notify::deliver::{Deliver, DeliveryError};
use crate::notify::environment::Environment;
use crate::notify::notice::Notice;
use crate::notify::sign::signature;

/// A webhook.
pub(super) struct Webhook {
    pub url: String,
    pub secret_env: String,
    pub allow_loopback: bool,
    pub environment: Arc<Environment>,
}

/// Where a request goes.
struct Destination<'a> {
    host: &'a str,
    port: u16,
    is_secure: bool,
}

#[async_trait]
impl Deliver for Webhook {
    async fn deliver(&self, notice: &Notice, within: Duration) -> Result<(), DeliveryError> {
        let late = self.environment.timer.sleep(within);
        match select(pin!(self.post(notice)), late).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                Err(DeliveryError::transient(format!("no response after {}s", within.as_secs())))
            }
        }
    }
}

impl Webhook {
    async fn post(&self, notice: &Notice) -> Result<(), DeliveryError> {
        let uri: Uri =
            self.url.parse().map_err(|_| DeliveryError::permanent("the address cannot be read"))?;
        let destination = Destination::of(&uri)?;
        let request = self.request(&uri, notice)?;
        let stream = self.connect(&destination).await?;
        let response = if destination.is_secure {
            let host = destination.host.trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(host)
                .map_err(|_| DeliveryError::permanent("the name of the host cannot be checked by TLS"))?;
            let connector = TlsConnector::from(self.environment.tls.config().await?);
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| DeliveryError::transient(format!("TLS failed: {error}")))?;
            exchange(stream, request).await?
        } else {
            exchange(stream, request).await?
        };
        judge(&response, self.environment.clock.now())
    }

    fn request(&self, uri: &Uri, notice: &Notice) -> Result<Request<String>, DeliveryError> {
        let Some(secret) = self.environment.secrets.secret(&self.secret_env) else {
            return Err(DeliveryError::permanent(format!(
                "the secret `{}` is not set: set the environment variable",
                self.secret_env
            )));
        };
        let (body, seconds) = (notice.to_json(), self.environment.clock.now().as_second());
        let signature = signature(&secret, &notice.id, seconds, &body).map_err(|problem| {
            DeliveryError::permanent(format!("the secret `{}` cannot be used: {problem}", self.secret_env))
        })?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or_else(String::new, ToString::to_string);
        Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("workflow/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body)
            .map_err(|_| DeliveryError::permanent("the address cannot be requested"))
    }

    /// Connects to an address of the host that may be sent to. The host is looked up once: what was checked is what
    /// is connected to.
    async fn connect(&self, destination: &Destination<'_>) -> Result<TcpStream, DeliveryError> {
        let host = destination.host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, destination.port))
            .await
            .map_err(|error| DeliveryError::transient(format!("the host is not found: {error}")))?;
        let (mut allowed, mut problem): (Vec<SocketAddr>, _) = (Vec::new(), None);
        for address in found {
            match refused(address.ip(), self.allow_loopback) {
                None => allowed.push(address),
                Some(why) => problem = Some(format!("{} {why}", address.ip())),
            }
        }
        if allowed.is_empty() {
            let problem = problem.unwrap_or_else(|| "the host has no address".to_owned());
            return Err(DeliveryError::permanent(problem));
        }
        let mut last = String::new();
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(DeliveryError::transient(last))
    }
}

impl<'a> Destination<'a> {
    fn of(uri: &'a Uri) -> Result<Self, DeliveryError> {
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(DeliveryError::permanent("the address is neither `https://` nor `http://`")),
        };
        let host = uri.host().ok_or_else(|| DeliveryError::permanent("the address has no host"))?;
        Ok(Self { host, port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }), is_secure })
    }
}

/// Sends a request on a connection, and returns the head of the response. The body is not read, and the connection
/// is not used again.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<String>,
) -> Result<Response<()>, DeliveryError> {
    let failed = |error: hyper::Error| DeliveryError::transient(format!("the request failed: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let response = pin!(sender.send_request(request));
    let response = match select(response, pin!(connection)).await {
        Either::Left((response, _)) => response,
        // The response can arrive with the end of the connection.
        Either::Right((_, response)) => response.await,
    };
    Ok(response.map_err(failed)?.map(drop))
}

/// What a response means.
fn judge(response: &Response<()>, now: Timestamp) -> Result<(), DeliveryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let to = if response.headers().contains_key(LOCATION) { " to another address" } else { "" };
        return Err(DeliveryError::permanent(format!(
            "the receiver redirects{to} ({status}), which is not followed: write the final address"
        )));
    }
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || again.contains(&status) {
        let after = retry_after(response.headers(), now);
        return Err(DeliveryError::transient(format!("the receiver answered {status}")).after(after));
    }
    Err(DeliveryError::permanent(format!("the receiver refused the notice: {status}")))
}

/// How long the receiver asks to wait: `Retry-After` in seconds, or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(date.duration_since(now)).ok()
}
