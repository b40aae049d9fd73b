//! Streams that break off, that do not end, and that never begin.

use std::io::{ErrorKind, Read as _};

use workflow_tests::model_api::{ModelApi, Scenario};

use crate::http::DIALECTS;

#[test]
fn a_cut_stream_breaks_off_after_half_of_the_text() {
    let api = ModelApi::start().unwrap();
    for dialect in DIALECTS {
        let response = dialect.ask(&api, Scenario::Cut, &dialect.request());
        assert!(response.body.contains("Hello from"), "{}", response.body);
        assert!(!response.body.contains(" the fake."), "{}", response.body);
        assert!(!response.whole, "{}", dialect.name);
    }
}

#[test]
fn a_hanging_stream_says_half_and_is_closed_when_the_fake_goes() {
    for dialect in DIALECTS {
        let api = ModelApi::start().unwrap();
        let mut asked = dialect.send(&api, Scenario::Hang, &dialect.request());
        asked.read_until("Hello from");
        drop(api);
        let rest = String::from_utf8(asked.rest()).unwrap();
        assert!(!rest.contains("the fake."), "{rest}");
    }
}

#[test]
fn a_stalled_request_is_answered_nothing_while_others_are_answered() {
    for dialect in DIALECTS {
        let api = ModelApi::start().unwrap();
        let asked = dialect.send(&api, Scenario::Stall, &dialect.request());
        while api.requests().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(dialect.ask(&api, Scenario::Ok, &dialect.request()).status, 200);
        asked.stream().set_nonblocking(true).unwrap();
        assert_eq!(asked.stream().read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        asked.stream().set_nonblocking(false).unwrap();
        drop(api);
        assert_eq!(asked.rest(), b"");
    }
}

#[test]
fn an_error_that_happens_once_is_gone_when_the_same_is_asked_again() {
    let api = ModelApi::start().unwrap();
    for dialect in DIALECTS {
        let statuses: Vec<_> =
            (0..3).map(|_| dialect.ask(&api, Scenario::Once500, &dialect.request()).status).collect();
        assert_eq!(statuses, [500, 200, 200], "{}", dialect.name);
    }
}
