//! Closures as providers.

mod common;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{context, request};
use futures::executor::block_on;
use futures::future::{FutureExt as _, join, join_all};
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallId, Provider, ProviderError, Reply};
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

/// Long enough for every wait of a test.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_closure_that_watches_nothing_has_no_grace_period_unless_it_asks_for_one() {
    let quick = || FunctionProvider::from_fn(|_| Ok(Reply::text("done")));
    assert!(!quick().needs_grace());
    assert!(quick().with_grace().needs_grace());
    assert!(FunctionProvider::blocking(|_, _| Ok(Reply::text("done"))).needs_grace());
}

#[test]
fn blocking_closures_run_at_the_same_time_on_threads_that_are_used_again() {
    let together = Arc::new(Barrier::new(2));
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let (meet, seen) = (together, threads.clone());
    let provider = FunctionProvider::blocking(move |request, context| {
        seen.lock().unwrap().insert(thread::current().id());
        context.output(OutputKind::Log, "at work");
        if request.prompt == "meet" {
            meet.wait();
        }
        Ok(Reply::text(request.prompt))
    });
    let call = |prompt: &str| {
        let request = request("blocking", prompt, Value::Null);
        let (context, said, stop) = context(&request);
        provider.call(request, context).map(move |result| (result.unwrap(), said.of(OutputKind::Log), stop))
    };
    // Neither returns before the other has begun.
    let (first, second) = block_on(join(call("meet"), call("meet")));
    assert_eq!((first.0, first.1), (Reply::text("meet"), vec!["at work".to_owned()]));
    assert_eq!(second.0, Reply::text("meet"));
    assert_eq!(threads.lock().unwrap().len(), 2);
    assert!(!threads.lock().unwrap().contains(&thread::current().id()));

    let replies = block_on(join_all((0..200).map(|_| call("one of many"))));
    assert!(replies.iter().all(|(reply, ..)| *reply == Reply::text("one of many")));
    assert!(threads.lock().unwrap().len() <= 64, "there are at most so many threads");
}

#[test]
fn a_blocking_closure_is_told_to_stop_and_when_it_is_dropped() {
    let (told, tells) = mpsc::channel();
    let provider = FunctionProvider::blocking(move |_, context| {
        context.output(OutputKind::Log, "begun");
        while context.stop().now() == Stop::None {
            context.stop().wait_blocking(Stop::Gracefully, LONG);
        }
        told.send(context.stop().now()).unwrap();
        Err(ProviderError::cancelled())
    });
    let request = request("blocking", "", Value::Null);
    for how in [Stop::Gracefully, Stop::AtOnce] {
        let (context, said, stop) = context(&request);
        let mut call = provider.call(request.clone(), context);
        assert!((&mut call).now_or_never().is_none());
        while said.of(OutputKind::Log).is_empty() {
            thread::yield_now();
        }
        stop.stop(how);
        assert_eq!(block_on(call).unwrap_err(), ProviderError::cancelled());
        assert_eq!(tells.recv_timeout(LONG).unwrap(), how);
    }
    let (context, said, _stop) = context(&request);
    let mut call = provider.call(request, context);
    assert!((&mut call).now_or_never().is_none());
    while said.of(OutputKind::Log).is_empty() {
        thread::yield_now();
    }
    drop(call);
    assert_eq!(tells.recv_timeout(LONG).unwrap(), Stop::AtOnce);
}

#[test]
fn a_node_is_not_called_again_while_its_closure_is_still_on_a_thread() {
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let released = Mutex::new(released);
    let provider = FunctionProvider::blocking(move |request, _| {
        begun.send(()).unwrap();
        // Ignores the stop signal.
        let _ = released.lock().unwrap().recv_timeout(LONG);
        Ok(Reply::text(request.prompt))
    });
    let request = request("blocking", "", Value::Null);
    let id = request.id.clone();
    let (context, ..) = context(&request);
    let mut call = provider.call(request, context);
    assert!((&mut call).now_or_never().is_none());
    begins.recv_timeout(LONG).unwrap();
    drop(call);
    let error = block_on(provider.reclaim(&id)).unwrap_err();
    assert_eq!(error.to_string(), "the closure has not returned yet");
    let (earlier, other) = (CallId { attempt: 0, ..id.clone() }, common::call_id("another"));
    assert!(block_on(provider.reclaim(&earlier)).is_ok(), "a later attempt is left alone");
    assert!(block_on(provider.reclaim(&other)).is_ok());
    release.send(()).unwrap();
    while block_on(provider.reclaim(&id)).is_err() {
        thread::yield_now();
    }
}

#[test]
fn the_panic_of_a_blocking_closure_continues_where_the_call_is_awaited() {
    let provider = FunctionProvider::blocking(|_, _| panic!("on a thread"));
    let request = request("blocking", "", Value::Null);
    let (context, ..) = context(&request);
    let call = provider.call(request, context);
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(call))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on a thread"));
}
