//! The connection to the server: negotiates TLS, and refuses to send a password in clear text to a server
//! that is neither local nor authenticated.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode as ClientMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{SslMode, TlsSettings};

type Tls<S> = <MakeRustlsConnect as MakeTlsConnect<S>>::Stream;
type ConnectTls<S> = <MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect;

/// `SSLRequest` of the protocol: its length, and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Opens connections. The client library delegates the negotiation to it.
#[derive(Clone)]
pub(in crate::postgres) struct Connector {
    mode: SslMode,
    tls: MakeRustlsConnect,
    /// The addresses to connect to, regardless of the host names.
    addresses: Vec<IpAddr>,
}

impl Connector {
    /// Prepares `config` for it.
    pub(in crate::postgres) fn new(config: &mut Config, settings: &TlsSettings) -> Result<Self, String> {
        if config.get_ssl_negotiation() == SslNegotiation::Direct {
            return Err("`sslnegotiation=direct` is not supported".to_owned());
        }
        let addresses = config.get_hostaddrs().to_vec();
        if config.get_hosts().is_empty() {
            for address in &addresses {
                config.host(address.to_string());
            }
        }
        let remote = config.get_hosts().iter().filter(|host| matches!(host, Host::Tcp(_))).count();
        if remote == 0 {
            // The server does not support TLS on a Unix socket.
            config.ssl_mode(ClientMode::Disable);
        } else if remote < config.get_hosts().len() {
            return Err("Unix sockets and network hosts cannot be mixed".to_owned());
        } else {
            // The library passes on the bare connection before it sends anything.
            config.ssl_mode(ClientMode::Require).ssl_negotiation(SslNegotiation::Direct);
        }
        Ok(Self { mode: settings.mode, tls: MakeRustlsConnect::new(settings.client_config()?), addresses })
    }

    fn is_local(&self, host: &str) -> bool {
        if self.addresses.is_empty() {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        } else {
            self.addresses.iter().all(IpAddr::is_loopback)
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Connector {
    type Stream = Wire<S>;
    type TlsConnect = Negotiation<S>;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Negotiation<S>, Infallible> {
        let tls = <MakeRustlsConnect as MakeTlsConnect<S>>::make_tls_connect(&mut self.tls, host)?;
        Ok(Negotiation { mode: self.mode, tls, local: self.is_local(host) })
    }
}

/// The negotiation before the protocol starts.
pub(in crate::postgres) struct Negotiation<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    mode: SslMode,
    tls: ConnectTls<S>,
    local: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Negotiation<S> {
    type Stream = Wire<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire<S>>> + Send>>;

    fn connect(self, mut stream: S) -> Self::Future {
        let Self { mode, tls, local } = self;
        let guard = |trusted| if trusted { Guard::off() } else { Guard::default() };
        Box::pin(async move {
            if mode == SslMode::Disable {
                return Ok(Wire { stream: Stream::Plain(stream), guard: guard(local) });
            }
            stream.write_all(&SSL_REQUEST).await?;
            let mut answer = [0];
            stream.read_exact(&mut answer).await?;
            match answer {
                [b'S'] => {
                    let stream = Stream::Tls(Box::new(tls.connect(stream).await?));
                    Ok(Wire { stream, guard: guard(local || mode.verifies()) })
                }
                [b'N'] if mode == SslMode::Prefer => {
                    Ok(Wire { stream: Stream::Plain(stream), guard: guard(local) })
                }
                [b'N'] => Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "the server does not offer TLS, which `sslmode` requires",
                )),
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server did not answer the request for TLS: is it a PostgreSQL server?",
                )),
            }
        })
    }
}

/// A connection on which TLS was negotiated.
pub(in crate::postgres) struct Wire<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    stream: Stream<S>,
    guard: Guard,
}

enum Stream<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    Plain(S),
    Tls(Box<Tls<S>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsStream for Wire<S> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Stream::Plain(_) => ChannelBinding::none(),
            Stream::Tls(stream) => stream.channel_binding(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        })?;
        Poll::Ready(self.guard.watch(&buf.filled()[before..]))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Follows the messages until the server has authenticated the client, and refuses a request for the password
/// in clear text.
#[derive(Default)]
struct Guard {
    is_off: bool,
    /// The start of a message: its kind, its length, and for an `Authentication` the requested method.
    head: Vec<u8>,
    /// How many bytes of a message are still to be skipped.
    skip: usize,
}

impl Guard {
    fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    fn watch(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !self.is_off && !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((&next, rest)) = bytes.split_first() else { break };
            bytes = rest;
            self.head.push(next);
            let (rest_of_it, head) = match *self.head {
                [b'R', a, b, c, d, 0, 0, 0, code] => match code {
                    0 => {
                        *self = Self::off();
                        return Ok(());
                    }
                    3 => return Err(io::Error::new(io::ErrorKind::PermissionDenied, CLEAR_TEXT)),
                    _ => ([a, b, c, d], 8),
                },
                [b'R', a, b, c, d, _, _, _, _] => ([a, b, c, d], 8),
                [kind, a, b, c, d] if kind != b'R' => ([a, b, c, d], 4),
                _ => continue,
            };
            let length = usize::try_from(u32::from_be_bytes(rest_of_it)).unwrap_or(usize::MAX);
            self.skip = length.saturating_sub(head);
            self.head.clear();
        }
        Ok(())
    }
}

const CLEAR_TEXT: &str = "the server asks for the password in clear text, and it is neither on this machine \
     nor authenticated: use sslmode=verify-full, or scram-sha-256 in the server's pg_hba.conf";

#[cfg(test)]
mod tests {
    use super::super::url::Settings;
    use super::*;

    /// The server's side of a connection that only asks for the password.
    async fn serve(mut stream: tokio::io::DuplexStream, messages: &[&[u8]]) -> Vec<u8> {
        for message in messages {
            // One byte at a time: messages can arrive in pieces of any size.
            for byte in *message {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        }
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        said
    }

    /// The bytes that a server receives that lets `host` connect with the password `hunter2` and sends
    /// `messages`.
    fn said_to(host: &str, sslmode: &str, messages: &[&[u8]]) -> (String, String) {
        let url = format!("postgres://u:hunter2@{host}/d?sslmode={sslmode}");
        let Settings { mut config, tls, .. } = Settings::read(&url).unwrap();
        let mut connector = Connector::new(&mut config, &tls).unwrap();
        let tls = connector.make_tls_connect(host).unwrap();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let client = async {
            let error = config.connect_raw(ours, tls).await.err().unwrap();
            std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string)
        };
        let (error, said) = runtime.block_on(async { tokio::join!(client, serve(theirs, messages)) });
        (error, String::from_utf8_lossy(&said).into_owned())
    }

    const CLEAR: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];
    const NOTICE: &[u8] = b"N\0\0\0\x12Mwelcome\0R\0\0\0\x08";
    const END: &[u8] = b"E\0\0\0\x05\0";

    #[test]
    fn a_password_is_not_sent_in_clear_text_to_a_server_that_is_not_local() {
        for messages in [vec![CLEAR, END], vec![b"N", CLEAR, END]] {
            let sslmode = if messages.len() == 2 { "disable" } else { "prefer" };
            let (error, said) = said_to("db.example", sslmode, &messages);
            assert!(error.contains("clear text"), "{error}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_password_is_sent_as_a_local_server_wants_it() {
        for host in ["localhost", "127.0.0.1"] {
            let (_, said) = said_to(host, "disable", &[CLEAR, END]);
            assert!(said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_server_without_tls_is_refused_where_it_is_required() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let (error, said) = said_to("localhost", mode, &[b"N", CLEAR, END]);
            assert!(error.contains("does not offer TLS"), "{mode}: {error}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn messages_before_the_request_hide_nothing() {
        let mut guard = Guard::default();
        guard.watch(NOTICE).unwrap();
        assert!(guard.watch(CLEAR).is_err());
        let mut guard = Guard::default();
        guard.watch(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0]).unwrap();
        assert!(guard.is_off);
    }

    #[test]
    fn hosts_are_local_by_their_addresses() {
        let local = |url: &str, host| {
            let mut config: Config = url.parse().unwrap();
            Connector::new(&mut config, &TlsSettings::default()).unwrap().is_local(host)
        };
        assert!(local("host=localhost user=u", "localhost"));
        assert!(local("host=db hostaddr=127.0.0.9 user=u", "db"));
        assert!(!local("host=localhost hostaddr=192.0.2.1 user=u", "localhost"));
        assert!(!local("host=db user=u", "db"));
    }
}
