//! A recorder and a cassette pass the conformance suite.

use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, CallId, Provider};
use workflow_core::stop::{Stop, StopSource};
use workflow_testkit::cassette::{Cassette, Recorder};
use workflow_testkit::provider::{Ask, Fixture};

use super::{Ears, Shelf, request};
use crate::providers::{Defect, Made};

/// Records a provider with all capabilities.
struct Recorded {
    shelf: Shelf,
    made: Made,
}

impl Recorded {
    fn new() -> Self {
        Self { shelf: Shelf::new(), made: Made::with(Defect::None) }
    }
}

impl Fixture for Recorded {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(Recorder::new(self.made.provider(), &self.shelf.path).unwrap())
    }

    fn answered(&self) -> Ask {
        self.made.answered()
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        self.made.failing()
    }

    fn endless(&self) -> Ask {
        self.made.endless()
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        self.made.unknown_option()
    }

    fn is_running(&self, call: &CallId) -> bool {
        self.made.is_running(call)
    }
}

mod recorder {
    workflow_testkit::provider_suite!(super::Recorded::new(); options, probe, sessions);
}

/// Replays its cassette, as often as a case asks.
struct Played(Recorded);

impl Played {
    fn new() -> Self {
        let recorded = Recorded::new();
        let recorder = recorded.provider();
        let failing = recorded.failing().into_iter().map(|(ask, _)| ask);
        for ask in failing.chain([recorded.answered(), recorded.endless()]) {
            for _ in 0..4 {
                let mut asked = request("1/work[0]/run", &ask.prompt);
                asked.options = ask.options.clone();
                let stop = StopSource::new();
                if ask == recorded.endless() {
                    stop.stop(Stop::Gracefully);
                }
                let context =
                    CallContext::new(asked.id.clone(), stop.signal(), std::sync::Arc::new(Ears::default()));
                // Its result is in the cassette.
                let _ = futures::executor::block_on(recorder.call(asked, context));
            }
        }
        Self(recorded)
    }
}

impl Fixture for Played {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(Cassette::open(&self.0.shelf.path).unwrap())
    }

    fn answered(&self) -> Ask {
        self.0.answered()
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        self.0.failing()
    }

    fn endless(&self) -> Ask {
        self.0.endless()
    }
}

mod cassette {
    workflow_testkit::provider_suite!(super::Played::new(); sessions);
}
