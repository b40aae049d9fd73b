//! Webhooks: what is sent, and where to.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use workflow_core::store::MemoryStore;
use workflow_service::notifications::TestNotices as _;
use workflow_service::notify::Notifier;

use crate::receiver::Receiver;
use crate::world::{OneSecret, Running, SECRET, engine, run, webhook};

#[test]
fn a_webhook_is_signed_and_says_what_happened() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone());
    let receiver = Receiver::new(&[Some("200 OK")]);
    let target = webhook(&receiver.url(), true);
    let notifier = Notifier::builder(store).target("team", target).secrets(OneSecret).build();
    for (name, id) in [("asks", "r1"), ("fails", "r2"), ("nears", "r3"), ("works", "r4")] {
        run(&engine, name, id);
    }
    let _running = Running::new(notifier);
    let mut told: Vec<_> = receiver.wait(5).iter().map(crate::receiver::Received::json).collect();
    told.sort_by_key(|body| (body["run"]["id"].to_string(), body["event"].as_u64()));
    let kinds: Vec<_> = told.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run.waiting", "run.failed", "run.budget", "run.completed", "run.completed"]);
    let run = &told[0]["run"];
    assert_eq!(
        (&run["workflow"], &run["status"], &run["labels"]),
        (&json!("asks"), &json!("paused"), &json!({ "team": "a\nb" }))
    );
    let wait = json!({
        "reason": "approval", "wait": told[0]["event"], "place": "1/greet", "question": "May it $(touch pwned)?",
    });
    assert_eq!(told[0]["wait"], wait);
    let failure = &told[1]["failure"];
    assert_eq!(failure["class"], "permanent", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("fail\nnow"), "{failure}");
    assert_eq!(told[2]["budget"], json!({ "stage": "greet", "limit": "cost", "used": 1.0, "of": 1.2 }));

    for request in receiver.received() {
        let headers = &request.headers;
        let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
        assert_eq!(request.json()["id"], json!(id));
        let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{time}.{}", request.body).as_bytes());
        let signature = headers["webhook-signature"].strip_prefix("v1,").unwrap();
        mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["host"], receiver.address.to_string());
        assert!(headers.values().all(|value| !value.contains(SECRET) && !value.contains("touch")));
        assert!(!request.body.contains(SECRET));
    }
    let ids: std::collections::HashSet<_> = told.iter().map(|body| body["id"].to_string()).collect();
    assert_eq!(ids.len(), 5, "each notice has an id of its own");
}

/// Sends a test to a target, and returns why it failed.
fn problem(url: &str, allow_loopback: bool) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let target = webhook(url, allow_loopback);
    let notifier =
        Notifier::builder(Arc::new(MemoryStore::new())).target("team", target).secrets(OneSecret).build();
    let told = runtime.block_on(notifier.test("team")).unwrap();
    assert_eq!(told.delivered, told.problem.is_none());
    told.problem
}

#[test]
fn addresses_of_the_machine_and_of_its_link_are_refused() {
    let receiver = Receiver::new(&[Some("200 OK")]);
    let port = receiver.address.port();
    for host in ["127.0.0.1", "localhost", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"] {
        let problem = problem(&format!("http://{host}:{port}/"), false).unwrap();
        assert!(problem.contains("allow_loopback: true"), "{host}: {problem}");
    }
    for host in ["0.0.0.0", "[::]", "169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "224.0.0.1"] {
        let problem = problem(&format!("http://{host}:{port}/"), true).unwrap();
        assert!(problem.contains(" is "), "{host}: {problem}");
    }
    assert!(receiver.received().is_empty());
    assert_eq!(problem(&receiver.url(), true), None);
    let test = receiver.wait(1)[0].json();
    assert_eq!((&test["type"], &test["run"]), (&json!("notification.test"), &json!(null)));
}

#[test]
fn what_is_wrong_with_a_webhook_is_said() {
    let receiver = Receiver::new(&[Some("302 Found\r\nLocation: http://169.254.169.254/")]);
    let redirected = problem(&receiver.url(), true).unwrap();
    assert!(redirected.contains("redirects to another address (302 Found)"), "{redirected}");
    let tls = problem(&receiver.url().replace("http:", "https:"), true).unwrap();
    assert!(tls.contains("TLS") || tls.contains("certificates"), "{tls}");
    let unknown = problem("http://host.invalid/", false).unwrap();
    assert!(unknown.contains("the host is not found"), "{unknown}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let notifier = Notifier::builder(Arc::new(MemoryStore::new()))
        .target("team", webhook(&receiver.url(), true))
        .build();
    let told = runtime.block_on(notifier.test("team")).unwrap();
    assert!(told.problem.unwrap().contains("the secret `HOOK_SECRET` is not set"));
    let missing = runtime.block_on(notifier.test("tean")).unwrap_err();
    assert_eq!(missing.message, "there is no target `tean` (targets: team)");
}
