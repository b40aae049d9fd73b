//! Closures as providers.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{context, request};
use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{Provider, ProviderError, Reply};
use workflow_core::stop::Stop;
use workflow_providers::FunctionProvider;

#[test]
fn an_async_closure_answers_and_shows_what_it_does() {
    let provider = FunctionProvider::new(|request, context| async move {
        context.output(OutputKind::Log, "at work");
        Ok(Reply::json(&json!({ "heard": request.prompt, "with": request.options })))
    });
    let request = request("function", "hello", json!({ "n": 1 }));
    let (context, said, _stop) = context(&request);

    let reply = block_on(provider.call(request, context)).unwrap();

    assert_eq!(reply.output.value(), json!({ "heard": "hello", "with": { "n": 1 } }));
    assert_eq!(said.of(OutputKind::Log), ["at work"]);
}

#[test]
fn a_plain_closure_is_called_when_its_future_is_polled_and_not_before() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let provider = FunctionProvider::from_fn(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        match request.prompt.as_str() {
            "" => Err(ProviderError::permanent("nothing to do")),
            prompt => Ok(Reply::text(prompt.to_uppercase())),
        }
    });
    let call = |prompt: &str| {
        let request = request("function", prompt, Value::Null);
        let (context, _, _) = context(&request);
        provider.call(request, context)
    };

    drop(call("never polled"));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(block_on(call("hello")).unwrap(), Reply::text("HELLO"));
    assert_eq!(block_on(call("")).unwrap_err().failure.class, FailureClass::Permanent);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_closure_sees_the_stop_signal() {
    let provider = FunctionProvider::new(|_, context| async move {
        context.stop().wait(Stop::Gracefully).await;
        Err(ProviderError::cancelled())
    });
    let request = request("function", "", Value::Null);
    let (context, _, stop) = context(&request);
    let call = provider.call(request, context);
    stop.stop(Stop::Gracefully);

    assert_eq!(block_on(call).unwrap_err(), ProviderError::cancelled());
}
