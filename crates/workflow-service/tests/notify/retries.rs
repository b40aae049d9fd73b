//! What is tried again, how often, and what is given up.

use std::sync::Arc;
use std::time::Duration;

use workflow_core::definition::NoticeKind;
use workflow_core::store::MemoryStore;
use workflow_service::notify::{DeliveryError, Notifier};

use crate::receiver::{Answer, Receiver};
use crate::world::{Hops, OneSecret, Recorder, Running, engine, in_the_end, last, run, settled, webhook};

#[test]
fn a_response_decides_whether_a_webhook_is_tried_again() {
    let cases: &[(&[Answer], usize)] = &[
        (&[Some("200 OK")], 1),
        (&[Some("204 No Content")], 1),
        (&[Some("500 Internal Server Error"), Some("503 Unavailable"), Some("200 OK")], 3),
        (&[Some("408 Request Timeout"), Some("425 Too Early"), Some("200 OK")], 3),
        (&[Some("429 Too Many Requests\r\nRetry-After: 7200"), Some("202 Accepted")], 2),
        (&[Some("503 Unavailable\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT"), Some("200 OK")], 2),
        (&[Some("400 Bad Request"), Some("200 OK")], 1),
        (&[Some("401 Unauthorized"), Some("200 OK")], 1),
        (&[Some("404 Not Found"), Some("200 OK")], 1),
        (&[Some("410 Gone"), Some("200 OK")], 1),
        (&[Some("302 Found\r\nLocation: /other"), Some("200 OK")], 1),
        (&[Some("307 Temporary Redirect\r\nLocation: /other"), Some("200 OK")], 1),
        (&[Some("500 Internal Server Error")], 8),
        (&[Some("not HTTP at all"), Some("200 OK")], 2),
    ];
    for (answers, tries) in cases {
        let receiver = Receiver::new(answers);
        let store = Arc::new(MemoryStore::new());
        let id = run(&engine(store.clone()), "works", "r1");
        let clock = Hops::default();
        let notifier = Notifier::builder(store.clone())
            .target("team", webhook(&receiver.url(), true))
            .secrets(OneSecret)
            .clock(clock.clone())
            .timer(clock)
            .max_age(Duration::from_secs(1 << 30))
            .build();
        let _running = Running::new(notifier);
        receiver.wait(1);
        settled(&*store, &id, last(&*store, &id), "team");
        let received = receiver.received();
        assert_eq!(received.len(), *tries, "{answers:?}");
        for request in &received {
            assert_eq!(request.line, "POST /hook?room=1 HTTP/1.1", "{answers:?}: no redirect is followed");
            assert_eq!(request.headers["webhook-id"], received[0].headers["webhook-id"], "{answers:?}");
            assert_eq!(request.body, received[0].body, "{answers:?}");
        }
    }
}

#[test]
fn tries_are_further_and_further_apart_and_eight_at_most() {
    for (errors, tries) in [
        (vec![DeliveryError::permanent("wrong")], 1),
        (vec![DeliveryError::transient("busy"); 3], 4),
        (vec![DeliveryError::transient("busy"); 20], 8),
    ] {
        let store = Arc::new(MemoryStore::new());
        let id = run(&engine(store.clone()), "works", "r1");
        let recorder = Recorder::failing(errors);
        let clock = Hops::default();
        let notifier = Notifier::builder(store.clone())
            .channel("app", [NoticeKind::Completed], recorder.clone())
            .clock(clock.clone())
            .timer(clock)
            .max_age(Duration::from_secs(1 << 30))
            .build();
        let _running = Running::new(notifier);
        in_the_end("the target is told", || !recorder.told().is_empty());
        settled(&*store, &id, last(&*store, &id), "app");
        assert_eq!(recorder.told().len(), tries);
    }
}

#[test]
fn a_target_that_fails_holds_up_no_other() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone());
    for n in 0..20 {
        run(&engine, "works", &format!("r{n}"));
    }
    // It never answers.
    let silent = Receiver::new(&[None]);
    let recorder = Recorder::default();
    let notifier = Notifier::builder(store)
        .target("silent", webhook(&silent.url(), true))
        .channel("app", [NoticeKind::Completed], recorder.clone())
        .secrets(OneSecret)
        .poll_every(Duration::from_millis(5))
        .build();
    let running = Running::new(notifier);
    in_the_end("all of the other target are told", || recorder.told().len() == 20);
    // Its deliveries are under way until their time is over: the test does not wait for them.
    std::mem::forget(running);
}
