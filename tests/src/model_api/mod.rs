//! A fake of four model APIs on loopback, for running the vendors' own command lines in tests.
//!
//! The URL alone decides its answers, because the base URL is the only setting that every command line
//! supports: `http://127.0.0.1:PORT/s/SCENARIO/…`, see [`Scenario`]. It implements Anthropic's messages,
//! `OpenAI`'s responses and chat completions, and Gemini's `generateContent`, with and without streaming. It
//! records the requests, without keys, for tests.
//!
//! - `scenario`: the behaviour that a URL selects. `turn`: the content of one answer of the model.
//! - `asked`: the content of a request, independent of its API. `instance`: JSON that matches a schema.
//! - `anthropic`, `responses`, `chat`, `gemini`: the formats of the APIs. `failure`: their error responses.
//! - `serve`: HTTP. `record`: what is recorded of a request. `stream`: events, and broken streams.

mod anthropic;
mod asked;
mod chat;
mod failure;
mod gemini;
mod instance;
mod record;
mod responses;
mod scenario;
mod serve;
mod stream;
mod turn;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

pub use record::Recorded;
pub use scenario::{Scenario, UnknownScenario};
pub use turn::{AFTER, BEFORE, COMMAND, TEXT, THOUGHT};

/// The fake, listening until it is dropped.
#[derive(Debug)]
pub struct ModelApi {
    address: SocketAddr,
    shared: Arc<serve::Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelApi {
    /// Listens on a port of 127.0.0.1 that the system chooses.
    ///
    /// # Errors
    ///
    /// If there is no port, or no thread to serve it.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// Listens on this port of 127.0.0.1; 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// If the port is in use, or there is no thread to serve it.
    pub fn start_on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(serve::Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = serve::serve(listener, shared.clone(), stopped);
        // Dropping the runtime closes all open connections.
        let thread = thread::Builder::new().name("model-api".into()).spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                panic!("the fake model API does not serve: {error}");
            }
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of a scenario, without the suffix of an API (`/v1`, `/v1beta`).
    pub fn url(&self, scenario: Scenario) -> String {
        format!("http://{}/s/{scenario}", self.address)
    }

    /// The requests so far, in the order in which they arrived.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests()
    }

    /// The requests to a model among them: no lists of models, no counting of tokens, no telemetry.
    pub fn asked(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(Recorded::asks_a_model).collect()
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}
