//! The web page that people run workflows from, as `npm run build` in `web` writes it.

use rust_embed::RustEmbed;
use workflow_service::http::Site;

/// The built page. A release build contains the files; a dev build reads them when the page is opened, so that a page that
/// was built again needs no new program.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Built;

/// The document of the page.
const DOCUMENT: &str = "index.html";

/// The page, to be served beside the interface that it calls: [`Options::site`](workflow_service::http::Options::site).
///
/// `None` if the files are missing, which only happens to a dev build whose sources have been moved.
pub fn site() -> Option<Site> {
    let content = |name: &str| Some(Built::get(name)?.data.into_owned());
    let mut site = Site::new(content(DOCUMENT)?);
    for name in Built::iter().filter(|name| name != DOCUMENT) {
        site = site.file(format!("/{name}"), content_type(&name), content(&name)?);
    }
    Some(site)
}

/// The content type of a file, by the end of its name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{Built, DOCUMENT, content_type, site};

    #[test]
    fn every_file_of_the_built_page_has_a_known_type() {
        assert!(site().is_some());
        for name in Built::iter().filter(|name| name != DOCUMENT) {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }
}
