//! A process that is killed while it delivers: this test binary starts itself again.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use workflow_service::notify::Notifier;
use workflow_store::SqliteStore;

use crate::receiver::Receiver;
use crate::world::{Hops, OneSecret, Running, engine, last, run, settled, webhook};

/// Tells this test in a separate process where to send notices to.
const URL: &str = "WORKFLOW_NOTIFY_TEST_URL";
/// The database of runs.
const STORE: &str = "WORKFLOW_NOTIFY_TEST_STORE";

#[test]
fn what_a_killed_process_has_claimed_another_delivers() {
    if let (Ok(url), Ok(path)) = (std::env::var(URL), std::env::var(STORE)) {
        let store = Arc::new(SqliteStore::open(path).unwrap());
        let target = webhook(&url, true);
        let notifier = Notifier::builder(store).target("team", target).secrets(OneSecret).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(notifier.run(std::future::pending()));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let id = run(&engine(store.clone()), "works", "r1");
    // The first request is not answered.
    let receiver = Receiver::new(&[None, Some("200 OK")]);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::what_a_killed_process_has_claimed_another_delivers", "--nocapture"])
        .env(URL, receiver.url())
        .env(STORE, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    receiver.wait(1);
    child.kill().unwrap();
    child.wait().unwrap();

    // By the clock of the other process the claim has ended.
    let clock = Hops::ahead_by(Duration::from_secs(600));
    let notifier = Notifier::builder(store.clone())
        .target("team", webhook(&receiver.url(), true))
        .secrets(OneSecret)
        .clock(clock.clone())
        .timer(clock)
        .max_age(Duration::from_secs(1 << 30))
        .build();
    let _running = Running::new(notifier);
    settled(&*store, &id, last(&*store, &id), "team");
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
    assert_eq!(received[0].body, received[1].body);
}
