//! Closures pass the conformance suite.

#![cfg(test)]

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{Provider, ProviderError, Reply};
use workflow_core::stop::Stop;
use workflow_providers::FunctionProvider;
use workflow_testkit::provider::{Ask, Fixture};

struct Closure;

impl Fixture for Closure {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(FunctionProvider::new(|request, context| async move {
            match request.prompt.as_str() {
                "wait" => {
                    context.output(OutputKind::Log, "waits");
                    context.stop().wait(Stop::Gracefully).await;
                    Err(ProviderError::cancelled())
                }
                "later" => Err(ProviderError::rate_limited("too much", None)),
                "" => Err(ProviderError::permanent("there is nothing to do")),
                prompt => {
                    context
                        .record_session("s1")
                        .await
                        .map_err(|e| ProviderError::transient(e.to_string()))?;
                    Ok(Reply { session: Some("s1".to_owned()), ..Reply::json(&json!({ "said": prompt })) })
                }
            }
        }))
    }

    fn answered(&self) -> Ask {
        Ask::new("hello", Value::Null)
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (Ask::new("", Value::Null), FailureClass::Permanent),
            (Ask::new("later", Value::Null), FailureClass::RateLimited),
        ]
    }

    fn endless(&self) -> Ask {
        Ask::new("wait", Value::Null)
    }
}

workflow_testkit::provider_suite!(Closure; sessions);

mod blocking {
    use std::time::Duration;

    use super::*;

    struct Blocking;

    impl Fixture for Blocking {
        fn provider(&self) -> Box<dyn Provider> {
            Box::new(FunctionProvider::blocking(|request, context| match request.prompt.as_str() {
                "wait" => {
                    context.output(OutputKind::Log, "waits");
                    while context.stop().now() == Stop::None {
                        context.stop().wait_blocking(Stop::Gracefully, Duration::from_secs(60));
                    }
                    Err(ProviderError::cancelled())
                }
                "" => Err(ProviderError::permanent("there is nothing to do")),
                prompt => Ok(Reply::text(prompt)),
            }))
        }

        fn answered(&self) -> Ask {
            Ask::new("hello", Value::Null)
        }

        fn failing(&self) -> Vec<(Ask, FailureClass)> {
            vec![(Ask::new("", Value::Null), FailureClass::Permanent)]
        }

        fn endless(&self) -> Ask {
            Ask::new("wait", Value::Null)
        }
    }

    workflow_testkit::provider_suite!(Blocking);
}
