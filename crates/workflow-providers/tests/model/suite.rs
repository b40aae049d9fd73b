//! The provider passes the conformance suite, with each protocol.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider;
use workflow_testkit::provider::{Ask, Fixture};

use crate::service::{Act, Service, response};
use crate::streams::{HEAD, acts, complete, events, text};

struct Model(Service, &'static str);

impl Model {
    fn new(api: &'static str) -> Self {
        let whole = events(api, &["Hello ", "there."], complete(api));
        let service = Service::start(move |asked| match asked.path().split('/').nth(1).unwrap() {
            "never" => vec![Act::Say(HEAD.to_owned() + &text("", &whole[..2])), Act::Hang],
            "429" => response(429, &[("retry-after", "60")], "{\"error\":{\"message\":\"slow down\"}}"),
            "500" => response(500, &[], "it broke"),
            "401" => response(401, &[], "{\"error\":{\"message\":\"no such key\"}}"),
            _ => acts(api, &whole),
        });
        Self(service, api)
    }

    fn ask(&self, path: &str) -> Ask {
        Ask::new("hello", json!({ "model": "m", "api": self.1, "base_url": self.0.url(path) }))
    }
}

impl Fixture for Model {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(super::provider())
    }

    fn answered(&self) -> Ask {
        self.ask("/v1")
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (self.ask("/429"), FailureClass::RateLimited),
            (self.ask("/500"), FailureClass::Transient),
            (self.ask("/401"), FailureClass::Permanent),
            (Ask { prompt: String::new(), ..self.ask("/v1") }, FailureClass::Permanent),
            (
                Ask::new("hello", json!({ "model": "m", "base_url": "http://localhost/" })),
                FailureClass::Permanent,
            ),
        ]
    }

    fn endless(&self) -> Ask {
        self.ask("/never")
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "model": "m", "temperature": 1 }), "temperature")
    }
}

mod chat {
    use super::Model;
    workflow_testkit::provider_suite!(Model::new("chat"); options);
}

mod responses {
    use super::Model;
    workflow_testkit::provider_suite!(Model::new("responses"); options);
}

mod messages {
    use super::Model;
    workflow_testkit::provider_suite!(Model::new("messages"); options);
}
