//! The provider passes the conformance suite.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider;
use workflow_testkit::provider::{Ask, Fixture};

use crate::service::{Act, Service, response};

struct Http(Service);

impl Http {
    fn new() -> Self {
        Self(Service::start(|asked| match asked.path() {
            "/never" => vec![Act::Hang],
            "/429" => response(429, &[("retry-after", "60")], ""),
            "/500" => response(500, &[], "it broke"),
            "/404" => response(404, &[], ""),
            _ => response(200, &[("content-type", "application/json")], "{\"ok\":true}"),
        }))
    }

    fn ask(&self, path: &str) -> Ask {
        Ask::new("hello", json!({ "method": "POST", "url": self.0.url(path) }))
    }
}

impl Fixture for Http {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(super::provider())
    }

    fn answered(&self) -> Ask {
        self.ask("/")
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (self.ask("/429"), FailureClass::RateLimited),
            (self.ask("/500"), FailureClass::Transient),
            (self.ask("/404"), FailureClass::Permanent),
            (Ask::new("", json!({ "url": "ftp://example.com/" })), FailureClass::Permanent),
            (Ask::new("", json!({ "url": "http://localhost/" })), FailureClass::Permanent),
        ]
    }

    fn endless(&self) -> Ask {
        self.ask("/never")
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "url": "https://example.com/", "retries": 3 }), "retries")
    }
}

workflow_testkit::provider_suite!(Http::new(); options);
