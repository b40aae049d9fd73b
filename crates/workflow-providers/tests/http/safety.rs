//! Which addresses are reached, and what they receive.

use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_providers::{HttpProvider, Network};

use crate::service::{Act, Service, json as answer, response};
use crate::{call, call_with, provider};

#[test]
fn private_addresses_are_refused_however_they_are_written() {
    let service = Service::always(answer("1"));
    let port = service.port;
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://LOCALHOST.:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://0:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "http://10.0.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fe80::1]/".to_owned(),
    ] {
        let error = call_with(&HttpProvider::new(), "", json!({ "url": url })).0.unwrap_err();
        // A resolver that does not know the form of an address finds no host.
        let is_unknown = error.failure.message.contains("is not found");
        assert!(is_unknown || error.failure.class == FailureClass::Permanent, "{url}: {error}");
        assert!(is_unknown || error.failure.message.contains("refused unless the host"), "{url}: {error}");
    }
    assert!(service.asked().is_empty());
}

#[test]
fn what_the_host_allows_is_reached_and_nothing_else() {
    let (one, other) = (Service::always(answer("1")), Service::always(answer("2")));
    let network = Network::public().allow_private(&format!("127.0.0.1:{}", one.port)).unwrap();
    let provider = HttpProvider::builder().network(network).build();
    assert_eq!(call_with(&provider, "", json!({ "url": one.url("/") })).0.unwrap().output.json(), "1");
    call_with(&provider, "", json!({ "url": other.url("/") })).0.unwrap_err();
    // A redirect does not get around it.
    let to_other = other.url("/");
    let redirecting = Service::start(move |_| response(302, &[("location", &to_other)], ""));
    let network = Network::public().allow_private(&format!("127.0.0.1:{}", redirecting.port)).unwrap();
    let provider = HttpProvider::builder().network(network).build();
    let error = call_with(&provider, "", json!({ "url": redirecting.url("/") })).0.unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent, "{error}");
    assert!(other.asked().is_empty());
}

/// A service that redirects `/STATUS` to `/end` of `to`, or of itself.
fn redirecting(to: Option<u16>) -> Service {
    Service::start(move |asked| {
        let to = to.map_or(String::new(), |port| format!("http://127.0.0.1:{port}"));
        match asked.path().trim_start_matches('/').parse() {
            Ok(status) => response(status, &[("location", &format!("{to}/end"))], "moved"),
            Err(_) if asked.path() == "/loop" => response(302, &[("location", "loop")], ""),
            Err(_) => answer("\"arrived\""),
        }
    })
}

#[test]
fn redirects_are_followed_as_far_as_they_may() {
    for (status, method, line) in [
        (301, "GET", "GET /end HTTP/1.1"),
        (302, "POST", "GET /end HTTP/1.1"),
        (303, "POST", "GET /end HTTP/1.1"),
        (307, "POST", "POST /end HTTP/1.1"),
        (308, "PUT", "PUT /end HTTP/1.1"),
    ] {
        let service = redirecting(None);
        let body = if method == "GET" { json!(null) } else { json!({ "a": 1 }) };
        let url = service.url(&format!("/{status}"));
        let reply =
            call(json!({ "method": method, "url": url, "body": body, "headers": { "X-Key": "k" } })).unwrap();
        assert_eq!(reply.output.json(), "\"arrived\"");
        assert_eq!(reply.details.unwrap()["url"], service.url("/end"));
        let asked = service.asked().pop().unwrap();
        assert_eq!((&*asked.line, asked.header("x-key")), (line, Some("k")));
        assert_eq!(asked.body, if line.starts_with("GET") { "" } else { "{\"a\":1}" });
    }
    let service = redirecting(None);
    let error = call(json!({ "url": service.url("/loop"), "redirects": 3 })).unwrap_err();
    assert!(error.failure.message.contains("too many redirects"), "{error}");
    assert_eq!((service.asked().len(), error.failure.class), (4, FailureClass::Permanent));
    let error = call(json!({ "url": service.url("/302"), "redirects": 0 })).unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent);
}

#[test]
fn another_host_receives_neither_keys_nor_bodies() {
    let other = Service::always(answer("\"arrived\""));
    let service = redirecting(Some(other.port));
    let headers =
        json!({ "Authorization": "Bearer k", "X-Api-Key": "k", "Cookie": "k", "Accept": "text/plain" });
    call(json!({ "url": service.url("/302"), "headers": headers })).unwrap();
    let asked = other.asked().pop().unwrap();
    for name in ["authorization", "x-api-key", "cookie", "idempotency-key"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
    assert_eq!(asked.header("accept"), Some("text/plain"));
    let error =
        call(json!({ "method": "POST", "url": service.url("/307"), "body": { "a": 1 } })).unwrap_err();
    assert!(error.failure.message.contains("must not receive the body"), "{error}");
    assert_eq!(other.asked().len(), 1);
}

#[test]
fn a_redirect_never_leaves_the_protocol() {
    for location in
        ["file:///etc/passwd", "ftp://a.example/", "https://", "http://user@127.0.0.1/", "http://[::1"]
    {
        let service = Service::start(move |_| response(302, &[("location", location)], ""));
        let error = call(json!({ "url": service.url("/") })).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Permanent, "{location}: {error}");
    }
}

#[test]
fn a_service_that_speaks_something_else_is_a_failure() {
    for said in [
        "SSH-2.0-OpenSSH_9\r\n",
        "\0\0\0",
        "HTTP/1.1 200\r\nbroken header\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        let service = Service::always(vec![Act::Say(said.to_owned())]);
        let error = call(json!({ "url": service.url("/") })).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Transient, "{said:?}: {error}");
    }
    let plain = Service::always(answer("1"));
    let url = format!("https://127.0.0.1:{}/", plain.port);
    let error = call_with(&provider(), "", json!({ "url": url })).0.unwrap_err();
    assert!(error.failure.message.contains("TLS"), "{error}");
}
