//! Nothing is left of a call that ends early, on any executor.

use std::thread;

use futures::executor::{LocalPool, block_on};
use futures::future::{Either, select};
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider as _;
use workflow_core::stop::Stop;

use crate::service::{Act, Service, json as answer};
use crate::{common, provider};

/// Services that stop at every place where a request can wait.
fn waiting() -> [Service; 3] {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    [vec![], vec![head[..20].to_owned()], vec![format!("{head}begin")]]
        .map(|said| Service::always(said.into_iter().map(Act::Say).chain([Act::Hang]).collect()))
}

#[test]
fn dropping_the_future_closes_the_connection() {
    for service in waiting() {
        let request = common::request("dropped", "", json!({ "url": service.url("/") }));
        let (context, _, _stop) = common::context(&request);
        let (begun, has_begun) = futures::channel::oneshot::channel::<()>();
        let port = service.port;
        let watcher = thread::spawn(move || {
            service.wait_for_open(1);
            drop(begun);
            service
        });
        block_on(async {
            match select(provider().call(request, context), has_begun).await {
                Either::Left((result, _)) => panic!("{port}: {result:?}"),
                Either::Right(_) => {}
            }
        });
        watcher.join().unwrap().wait_for_open(0);
    }
}

#[test]
fn a_call_that_is_told_to_stop_closes_the_connection() {
    for service in waiting() {
        let request = common::request("stopped", "", json!({ "url": service.url("/") }));
        let (context, _, stop) = common::context(&request);
        let watcher = thread::spawn(move || {
            service.wait_for_open(1);
            stop.stop(Stop::Gracefully);
            service
        });
        let error = block_on(provider().call(request, context)).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Cancelled);
        watcher.join().unwrap().wait_for_open(0);
    }
}

#[test]
fn it_works_on_any_executor() {
    let service = Service::always(answer("[1]"));
    let call = || {
        let request = common::request("any", "", json!({ "url": service.url("/") }));
        let (context, _, stop) = common::context(&request);
        async move {
            let _stop = stop;
            provider().call(request, context).await.unwrap().output.json().to_owned()
        }
    };
    assert_eq!(block_on(call()), "[1]");
    assert_eq!(LocalPool::new().run_until(call()), "[1]");
    // The one that the client uses itself, on another thread.
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(tokio.block_on(call()), "[1]");
}
