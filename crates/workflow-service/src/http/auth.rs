//! Who calls, and from where.

use std::collections::HashMap;
use std::fmt;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use sha2::{Digest as _, Sha256};

use crate::caller::Caller;
use crate::code::Code;
use crate::error::ServiceError;

/// How long a token is at least, in bytes.
const SHORTEST: usize = 16;

/// The tokens of callers. Only their hashes are kept, and they are never shown.
///
/// ```
/// use workflow_service::Caller;
/// use workflow_service::http::Tokens;
///
/// let mut tokens = Tokens::default();
/// tokens.add("kZ3w0Y1l7f5Qm2Xc", Caller::new("ann", "http"))?;
/// assert!(tokens.add("short", Caller::host()).is_err());
/// # Ok::<(), workflow_service::http::WeakToken>(())
/// ```
#[derive(Clone, Default)]
pub struct Tokens(HashMap<[u8; 32], Caller>);

/// A token is shorter than 16 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has {SHORTEST} characters at least: make a longer one, for instance of random letters")]
pub struct WeakToken;

impl Tokens {
    /// Accepts a token: requests that send it are made as this caller.
    ///
    /// # Errors
    ///
    /// [`WeakToken`] for one that could be guessed.
    pub fn add(&mut self, token: &str, caller: Caller) -> Result<(), WeakToken> {
        if token.len() < SHORTEST {
            return Err(WeakToken);
        }
        self.0.insert(hash(token), caller);
        Ok(())
    }

    /// The caller with this token. The hashes are looked up, so the time it takes tells nothing of a token.
    fn find(&self, token: &str) -> Option<&Caller> {
        self.0.get(&hash(token))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.0.len()).finish()
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Checks the headers of requests.
pub(super) struct Guard {
    tokens: Tokens,
    /// The names, with ports, that the server is reached by.
    hosts: Vec<String>,
    /// Other sites whose pages may call.
    origins: Vec<String>,
}

impl Guard {
    pub(super) fn new(tokens: Tokens, hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { tokens, hosts, origins }
    }

    pub(super) fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), ServiceError> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| {
            // A request of the absolute form.
            uri.authority().map(axum::http::uri::Authority::as_str)
        });
        match host {
            Some(host) if self.is_own(host) => Ok(()),
            Some(host) => Err(ServiceError::forbidden(format!(
                "this server is not `{}`: call it by its own name, or add the name to those it is allowed to have",
                host.escape_default()
            ))),
            None => Err(ServiceError::invalid_request("the request has no `Host`")),
        }
    }

    /// The origin of a page, if there is one and it may call.
    pub(super) fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ServiceError> {
        let Some(origin) = headers.get(header::ORIGIN) else {
            // Browsers leave `Origin` out of some requests that a page of another site makes.
            return if is_of_other_site(headers) {
                Err(ServiceError::forbidden("pages of other sites may not call this server"))
            } else {
                Ok(None)
            };
        };
        let text = origin.to_str().unwrap_or_default();
        let is_own = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .is_some_and(|host| self.is_own(host));
        if is_own || self.origins.iter().any(|allowed| allowed == text) {
            return Ok(Some(origin.clone()));
        }
        Err(ServiceError::forbidden(format!("pages of `{}` may not call this server", text.escape_default())))
    }

    /// Refuses files of the page to pages of other sites. A person may follow a link to the page from anywhere.
    pub(super) fn check_load(headers: &HeaderMap) -> Result<(), ServiceError> {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
        let is_visit = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        if is_of_other_site(headers) && !is_visit {
            return Err(ServiceError::forbidden("pages of other sites may not load files of this server"));
        }
        Ok(())
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ServiceError> {
        let unknown = |message: &str| ServiceError::new(Code::Unauthenticated, message);
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(unknown("the request has no token: send `Authorization: Bearer TOKEN`"));
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        match token.and_then(|token| self.tokens.find(token)) {
            Some(caller) => Ok(caller.clone()),
            None => Err(unknown("the token is not known to this server")),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// Whether the browser says that a page of another site made the request. Other ports of this machine are the same site
/// with another origin.
fn is_of_other_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}
