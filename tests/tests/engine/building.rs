//! Invalid settings of an engine.

use async_trait::async_trait;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_exec::{BuildError, Engine, EngineBuilder, EngineError};

struct Greeter;

#[async_trait]
impl Provider for Greeter {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(request.prompt))
    }
}

fn refused(builder: EngineBuilder) -> String {
    builder.build().err().unwrap().to_string()
}

#[test]
fn two_providers_of_one_name_are_refused() {
    let builder = Engine::builder().provider("greeter", Greeter).provider("other", Greeter);
    assert!(builder.build().is_ok());
    let builder = Engine::builder().provider("greeter", Greeter).provider("greeter", Greeter);
    let error = builder.build().err().unwrap();
    assert_eq!(error, BuildError::DuplicateProvider("greeter".into()));
    assert_eq!(
        EngineError::from(error).to_string(),
        "two providers are registered as `greeter`: give each a name of its own"
    );
}

#[test]
fn names_that_no_definition_should_use_are_refused() {
    let long = "x".repeat(101);
    let names = ["", " ", "greeter ", "\tgreeter", "gree\nter", "gree\u{1b}[31mter", &long].map(|name| {
        let error = refused(Engine::builder().provider(name, Greeter));
        error.replace(&long, "x…")
    });
    insta::assert_snapshot!(names.join("\n"), @r#"
    a provider cannot be registered as "": it is empty
    a provider cannot be registered as " ": it begins or ends with white space
    a provider cannot be registered as "greeter ": it begins or ends with white space
    a provider cannot be registered as "\tgreeter": it begins or ends with white space
    a provider cannot be registered as "gree\nter": it has control characters
    a provider cannot be registered as "gree\u{1b}[31mter": it has control characters
    a provider cannot be registered as "x…": it is longer than 100 characters
    "#);
    for name in ["g", "claude-code", "My provider", "anbieter_ü", &"x".repeat(100)] {
        assert!(Engine::builder().provider(name, Greeter).build().is_ok(), "{name}");
    }
}

#[test]
fn a_default_provider_that_is_not_registered_is_refused() {
    let builder = || Engine::builder().default_provider("greeter");
    insta::assert_snapshot!(refused(builder()), @"the default provider `greeter` is not registered (registered: none): register it with `EngineBuilder::provider`");
    insta::assert_snapshot!(refused(builder().provider("b", Greeter).provider("a", Greeter)), @"the default provider `greeter` is not registered (registered: a, b): register it with `EngineBuilder::provider`");
    assert!(builder().provider("greeter", Greeter).build().is_ok(), "in whatever order");
}
