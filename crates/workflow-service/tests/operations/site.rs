//! The page that a server serves beside the interface.

use std::net::SocketAddr;

use tokio::runtime::Runtime;
use workflow_service::http::Site;

use crate::bindings::{exchange_whole, serve};
use crate::host::Host;

fn start() -> (Runtime, SocketAddr) {
    let host = Host::new();
    serve(host.service.clone(), |options| {
        options.site = Some(Site::new("the document").file("/page.js", "text/javascript", "the script"));
    })
}

/// A request with these lines in its head: the status, the head and the body of the response.
fn get(server: &(Runtime, SocketAddr), first: &str, lines: &[&str]) -> (u16, String, String) {
    let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let lines = lines.replace("ADDRESS", &server.1.to_string());
    let request = format!("{first} HTTP/1.1\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n");
    server.0.block_on(exchange_whole(server.1, &request))
}

#[test]
fn the_page_is_served_to_its_own_name_and_to_no_page_of_another_site() {
    const OWN: &str = "Host: ADDRESS";
    let server = start();
    for (first, lines, status, expected) in [
        ("GET /", &[OWN][..], 200, "the document"),
        ("GET /page.js", &[OWN], 200, "the script"),
        ("HEAD /page.js", &[OWN], 200, ""),
        // Addresses within the page, also those that are not the path of a file.
        ("GET /runs/r1/timeline?at=1", &[OWN], 200, "the document"),
        ("GET /../../etc/passwd", &[OWN], 200, "the document"),
        ("GET /..%2f..%2fetc/passwd", &[OWN], 200, "the document"),
        ("GET //page.js", &[OWN], 200, "the document"),
        // Parts of the page that do not exist.
        ("GET /lost.js", &[OWN, "Sec-Fetch-Dest: script"], 404, "not_found"),
        // Another name that leads to this address.
        ("GET /", &["Host: evil.example"], 403, "forbidden"),
        ("GET /page.js", &["Host: evil.example"], 403, "forbidden"),
        ("GET /", &[], 400, "invalid_request"),
        // Pages of other sites: they may link to the page, but load nothing of it.
        (
            "GET /runs",
            &[OWN, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
            200,
            "the document",
        ),
        (
            "GET /runs",
            &[OWN, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"],
            403,
            "forbidden",
        ),
        ("GET /page.js", &[OWN, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], 403, "forbidden"),
        ("GET /page.js", &[OWN, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"], 403, "forbidden"),
        ("GET /page.js", &[OWN, "Sec-Fetch-Site: same-origin"], 200, "the script"),
        // What is not the page.
        ("POST /runs", &[OWN], 404, "not_found"),
        ("GET /api", &[OWN], 404, "not_found"),
        ("GET /api/v2/x", &[OWN], 404, "not_found"),
        ("POST /api/v1/workflow:list", &[OWN], 401, "unauthenticated"),
    ] {
        let (got, _, body) = get(&server, first, lines);
        let is_expected = body == expected || body.contains(&format!("\"code\":\"{expected}\""));
        assert!(got == status && is_expected, "{first} {lines:?}: {got} {body}");
    }
}

#[test]
fn every_file_has_the_headers_that_confine_the_page() {
    let server = start();
    for path in ["/", "/runs/r1", "/page.js"] {
        let (status, head, _) = get(&server, &format!("GET {path}"), &["Host: ADDRESS"]);
        assert_eq!(status, 200);
        let head = head.to_lowercase();
        let value = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("{path}: no {name}: {head}"))
        };
        let policy = value("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{path}: {part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(value("x-content-type-options"), "nosniff");
        assert_eq!(value("referrer-policy"), "no-referrer");
        assert_eq!(value("cross-origin-opener-policy"), "same-origin");
        assert_eq!(value("cross-origin-resource-policy"), "same-origin");
        assert_eq!(value("cache-control"), "no-cache");
        assert!(!head.contains("set-cookie") && !head.contains("access-control"), "{head}");
    }
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = start();
    let (_, head, _) = get(&server, "GET /page.js", &["Host: ADDRESS"]);
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    for (known, status, expected) in [
        (tag.to_owned(), 304, ""),
        (format!("\"other\", {tag}"), 304, ""),
        ("\"other\"".to_owned(), 200, "the script"),
    ] {
        let line = format!("If-None-Match: {known}");
        let (got, head, body) = get(&server, "GET /page.js", &["Host: ADDRESS", &line]);
        assert_eq!((got, body.as_str()), (status, expected), "{known}");
        assert!(head.contains(tag), "{head}");
    }
    // The document has another tag.
    let (status, ..) = get(&server, "GET /", &["Host: ADDRESS", &format!("If-None-Match: {tag}")]);
    assert_eq!(status, 200);
}

#[test]
fn without_a_page_there_is_only_the_interface() {
    let host = Host::new();
    let server = serve(host.service.clone(), |_| {});
    let (status, _, body) = get(&server, "GET /", &["Host: ADDRESS"]);
    assert!(status == 404 && body.contains("/api/v1"), "{status} {body}");
}
