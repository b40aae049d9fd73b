//! Calls of the provider `model`, against services on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]
#![cfg(test)]

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod cuts;
mod failures;
mod requests;
#[path = "../common/service.rs"]
mod service;
mod streams;
mod suite;

use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::provider::{Provider as _, ProviderError, Reply};
use workflow_providers::{ModelProvider, Network, Price};

use crate::service::Service;

/// A provider that may reach this machine, and knows the price of the model `m`.
fn provider() -> ModelProvider {
    let network = Network::public().allow_private("127.0.0.1").unwrap();
    ModelProvider::builder().network(network).price("m", Price::per_million(2.0, 10.0)).build()
}

/// Asks a service by one of the protocols.
fn ask(service: &Service, api: &str, more: &Value) -> (Result<Reply, ProviderError>, Arc<common::Said>) {
    ask_for(service, api, more, None)
}

fn ask_for(
    service: &Service,
    api: &str,
    more: &Value,
    schema: Option<Value>,
) -> (Result<Reply, ProviderError>, Arc<common::Said>) {
    let mut options =
        json!({ "model": "m", "api": api, "base_url": service.url("/v1"), "key": "test-key-123456" });
    for (name, value) in more.as_object().into_iter().flatten() {
        options[name] = value.clone();
    }
    let mut request = common::request("asked", "Say hello.", options);
    request.output_schema = schema.map(Arc::new);
    let (context, said, _stop) = common::context(&request);
    (block_on(provider().call(request, context)), said)
}
