//! Requests of the provider `http`, against a service on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
mod requests;
mod responses;
mod safety;
#[path = "../common/service.rs"]
mod service;
mod stopping;
mod suite;

use std::sync::Arc;

use futures::executor::block_on;
use serde_json::Value;
use workflow_core::provider::{Provider as _, ProviderError, Reply};
use workflow_providers::{HttpProvider, Network};

/// A provider that may reach this machine.
fn provider() -> HttpProvider {
    HttpProvider::builder().network(Network::public().allow_private("127.0.0.1").unwrap()).build()
}

fn call(options: Value) -> Result<Reply, ProviderError> {
    call_with(&provider(), "", options).0
}

fn call_with(
    provider: &HttpProvider,
    prompt: &str,
    options: Value,
) -> (Result<Reply, ProviderError>, Arc<common::Said>) {
    let request = common::request("first", prompt, options);
    let (context, said, _stop) = common::context(&request);
    (block_on(provider.call(request, context)), said)
}
