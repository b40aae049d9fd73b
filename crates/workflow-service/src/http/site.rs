//! A web page that the server serves beside the interface, and that calls it.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

/// What the page may load and do: its own files alone, no script or style element in the document, no markup from texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     font-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The headers of every file. A browser asks each time whether a file has changed, as the names stay the same in each
/// version: the answer is empty unless it has.
const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// A web page: an HTML document and its files. They are served without a token, so they must not contain secrets. Every
/// path outside of `/api/` that is not that of a file is an address within the page, for which the document is served.
///
/// The content security policy lets the page load its own files only, and forbids script and style elements in the
/// document.
///
/// ```
/// use workflow_service::http::Site;
///
/// let site = Site::new("<!doctype html><script src=/page.js></script>")
///     .file("/page.js", "text/javascript", "document.title = 'Runs'");
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Site {
    document: File,
    files: Vec<(String, File)>,
}

#[derive(Debug, Clone)]
struct File {
    content_type: &'static str,
    /// Shared by all responses.
    content: Bytes,
    /// The hash of the content, in quotes.
    tag: String,
}

impl Site {
    /// A page with this HTML document, in UTF-8.
    pub fn new(document: impl Into<Vec<u8>>) -> Self {
        Self { document: File::new("text/html; charset=utf-8", document.into()), files: Vec::new() }
    }

    /// Adds a file with its path, such as `/page.js`, and its content type.
    #[must_use]
    pub fn file(
        mut self,
        path: impl Into<String>,
        content_type: &'static str,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        self.files.push((path.into(), File::new(content_type, content.into())));
        self
    }

    /// The file with this path, or the document. `None` if the document wants a part that does not exist, such as a
    /// script: the document in its place would be misread.
    pub(super) fn respond(&self, path: &str, request: &HeaderMap) -> Option<Response> {
        let named = self.files.iter().find(|(name, _)| name == path).map(|(_, file)| file);
        let is_part = request.get("sec-fetch-dest").is_some_and(|kind| kind != "document");
        let file = match named {
            Some(file) => file,
            None if is_part => return None,
            None => &self.document,
        };
        let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == file.tag));
        let mut response = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            (StatusCode::OK, [(header::CONTENT_TYPE, file.content_type)], file.content.clone())
                .into_response()
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::from_str(&file.tag) {
            headers.insert(header::ETAG, tag);
        }
        Some(response)
    }
}

impl File {
    fn new(content_type: &'static str, content: Vec<u8>) -> Self {
        let mut tag = String::from("\"");
        for byte in Sha256::digest(&content) {
            // Writing to a string does not fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        Self { content_type, content: Bytes::from(content), tag }
    }
}
