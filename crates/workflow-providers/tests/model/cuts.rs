//! Streams that end early, fail in the middle, or never end.

use futures::executor::block_on;
use serde_json::json;
use std::time::Duration;
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider as _;
use workflow_providers::{ModelProvider, Network};

use crate::service::{Act, Service};
use crate::streams::{APIS, HEAD, acts, complete, error, events, text};
use crate::{ask, common};

#[test]
fn no_cut_stream_is_a_success() {
    for api in APIS {
        let events = events(api, &["Hello ", "there."], complete(api));
        // The record that ends the answer, and what follows it.
        let end = events
            .iter()
            .position(|event| {
                let text = event.to_string();
                text.contains("\"stop\"") || text.contains("end_turn") || text.contains("response.completed")
            })
            .unwrap();
        let whole = text(api, &events);
        let least = text(api, &events[..=end]).trim_end_matches("data: [DONE]\n\n").trim_end().len();
        for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            if cut > 300 && cut + 60 < least && cut % 5 != 0 {
                continue;
            }
            let service = Service::always(vec![Act::Say(HEAD.to_owned() + &whole[..cut])]);
            match ask(&service, api, &json!({})).0 {
                Ok(reply) => {
                    assert!(cut >= least, "{api}: a success at {cut} of {least}");
                    assert_eq!(reply.output.json(), "\"Hello there.\"");
                }
                Err(error) => {
                    assert!(cut < least, "{api}: {error} at {cut} of {least}");
                    assert_eq!(error.failure.class, FailureClass::Transient, "{error}");
                    assert_eq!(error.failure.details.unwrap()["reason"], "stream_cut");
                }
            }
        }
    }
}

#[test]
fn a_chunked_stream_that_breaks_off_is_not_a_success() {
    for api in APIS {
        let events = events(api, &["Hello ", "there."], complete(api));
        let begin = text("", &events[..events.len() - 3]);
        let head = HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
        let service = Service::always(vec![Act::Say(format!("{head}{:x}\r\n{begin}\r\n", begin.len()))]);
        let error = ask(&service, api, &json!({})).0.unwrap_err();
        assert_eq!(error.failure.details.unwrap()["reason"], "stream_cut", "{api}");
    }
}

#[test]
fn an_error_within_a_stream_counts_wherever_it_stands() {
    for api in APIS {
        for (kind, message, reason) in [
            ("overloaded_error", "Overloaded", "overloaded"),
            ("server_error", "The server had an error", "overloaded"),
            ("rate_limit_exceeded", "Rate limit reached. Please try again in 20s.", "rate_limited"),
            ("insufficient_quota", "You exceeded your current quota", "billing"),
            ("authentication_error", "invalid x-api-key", "not_logged_in"),
            ("strange", "it broke", "failed"),
        ] {
            let whole = events(api, &["Hello ", "there."], complete(api));
            for place in 0..=whole.len() {
                let mut events = whole.clone();
                events.insert(place, error(api, kind, message));
                let service = Service::always(acts(api, &events));
                let error = ask(&service, api, &json!({})).0.unwrap_err();
                assert_eq!(
                    error.failure.details.as_ref().unwrap()["reason"],
                    reason,
                    "{api} {place}: {error}"
                );
                assert!(error.failure.message.contains(message.split('.').next().unwrap()), "{error}");
            }
        }
    }
}

#[test]
fn a_service_that_falls_silent_is_given_up() {
    let network = Network::public().allow_private("127.0.0.1").unwrap();
    let provider = ModelProvider::builder().network(network).patience(Duration::from_millis(100)).build();
    for api in APIS {
        let events = events(api, &["Hello ", "there."], complete(api));
        for count in [0, 3] {
            let begin =
                if count == 0 { String::new() } else { HEAD.to_owned() + &text("", &events[..count]) };
            let service = Service::always(vec![Act::Say(begin), Act::Hang]);
            let options = json!({ "model": "m", "api": api, "base_url": service.url("/v1") });
            let request = common::request("silent", "hello", options);
            let (context, _, _stop) = common::context(&request);
            let error = block_on(provider.call(request, context)).unwrap_err();
            assert_eq!(error.failure.class, FailureClass::IdleTimeout, "{api}: {error}");
            assert_eq!(error.failure.details.unwrap()["reason"], "silent");
            service.wait_for_open(0);
        }
    }
}
