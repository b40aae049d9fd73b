//! Requests, with the redirects that they lead to.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode, Uri};

use super::connect::Connector;
use super::error::SendError;
use super::exchange::{exchange, forward};
use super::target::{self, Target, shown};

/// A request to send.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<String>,
    /// How many redirects are followed.
    pub(crate) redirects: u8,
}

type Head = Result<(String, Parts), SendError>;

/// What a response leads to.
enum Next {
    /// It is passed on.
    Done,
    /// Another request.
    Redirect(Box<Outgoing>),
    Failed(SendError),
}

/// Sends a request and those that redirects ask for, and passes on the last response.
pub(super) async fn carry_out(
    connector: Arc<Connector>,
    mut request: Outgoing,
    head: oneshot::Sender<Head>,
    chunks: mpsc::Sender<Result<Bytes, SendError>>,
) {
    let mut answer = Some((head, chunks));
    loop {
        let sent = send(&connector, &request, &mut answer).await;
        let failure = match sent {
            Ok(Next::Done) => return,
            Ok(Next::Redirect(next)) => {
                request = *next;
                continue;
            }
            Ok(Next::Failed(error)) | Err(error) => error,
        };
        if let Some((head, _)) = answer.take() {
            // The receiver is gone if the call was dropped.
            let _ = head.send(Err(failure));
        }
        return;
    }
}

type Answer = Option<(oneshot::Sender<Head>, mpsc::Sender<Result<Bytes, SendError>>)>;

async fn send(connector: &Connector, request: &Outgoing, answer: &mut Answer) -> Result<Next, SendError> {
    let target = Target::of(&request.uri).map_err(SendError::Refused)?;
    let made = request.made()?;
    let stream = connector.connect(&target).await?;
    exchange(stream, made, async |response| {
        let (parts, body) = response.into_parts();
        match request.redirected(&target, &parts) {
            Ok(Some(next)) => return Next::Redirect(Box::new(next)),
            Ok(None) => {}
            Err(problem) => {
                return Next::Failed(SendError::Refused(format!("{}: {problem}", shown(&request.uri))));
            }
        }
        if let Some((head, chunks)) = answer.take()
            && head.send(Ok((shown(&request.uri), parts))).is_ok()
        {
            forward(body, chunks).await;
        }
        Next::Done
    })
    .await
}

impl Outgoing {
    fn made(&self) -> Result<Request<String>, SendError> {
        let wrong =
            |_| SendError::Refused("the request cannot be made of its address and headers".to_owned());
        let authority = target::authority(&self.uri);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(&self.method)
            .uri(path)
            .header(header::HOST, authority)
            .body(self.body.clone().unwrap_or_default())
            .map_err(wrong)?;
        let headers = request.headers_mut();
        let agent = HeaderValue::from_static(concat!("workflow/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        headers.extend(self.headers.clone());
        Ok(request)
    }

    /// The request that a response asks for, if it redirects.
    fn redirected(&self, target: &Target<'_>, response: &Parts) -> Result<Option<Self>, String> {
        let keeps_method = match response.status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
            _ => return Ok(None),
        };
        let Some(location) = response.headers.get(header::LOCATION) else { return Ok(None) };
        if self.redirects == 0 {
            return Err(
                "too many redirects: write the final address, or allow more with `redirects`".to_owned()
            );
        }
        let location = std::str::from_utf8(location.as_bytes())
            .map_err(|_| "the address of the redirect is not text".to_owned())?;
        let uri = target::join(&self.uri, location).map_err(|problem| format!("the redirect: {problem}"))?;
        let mut next = Self { uri: uri.clone(), redirects: self.redirects - 1, ..self.clone() };
        let to = Target::of(&uri)?;
        if target.is_secure && !to.is_secure {
            return Err("the redirect leads to an address without TLS".to_owned());
        }
        if !keeps_method && !matches!(self.method, Method::GET | Method::HEAD) {
            (next.method, next.body) = (Method::GET, None);
            next.headers.remove(header::CONTENT_TYPE);
        }
        if !to.is_same(target) {
            if next.body.is_some() {
                return Err("the redirect leads to another host, which must not receive the body".to_owned());
            }
            // Any of the others can be a key.
            let keeps = |name: &HeaderName| [header::ACCEPT, header::CONTENT_TYPE].contains(name);
            next.headers = self
                .headers
                .iter()
                .filter(|(name, _)| keeps(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
        }
        Ok(Some(next))
    }
}
