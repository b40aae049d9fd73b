//! A fake of four model APIs on loopback, for driving the vendors' own command lines in tests.
//!
//! What it answers is told by the URL alone, because the base URL is the one thing that every command line
//! lets a test choose: `http://127.0.0.1:PORT/s/SCENARIO/…`, see [`Scenario`]. It speaks Anthropic's
//! messages, `OpenAI`'s responses and chat completions, and Gemini's `generateContent`, streamed and at once. What
//! it was asked is kept, without keys, for tests to look at.
//!
//! - `scenario`: what is asked of it by the URL. `turn`: what a model does in one answer.
//! - `asked`: what a request says to a model, whichever API it came by. `instance`: JSON that fits a schema.
//! - `anthropic`, `responses`, `chat`, `gemini`: how each API says all that. `failure`: how they refuse.
//! - `serve`: HTTP. `record`: what is kept of a request. `stream`: events, and how a stream ends badly.

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
    /// Listens on a port of 127.0.0.1 that the system picks.
    ///
    /// # Errors
    ///
    /// When there is no port, or no thread to serve it.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// Listens on this port of 127.0.0.1; 0 is one that the system picks.
    ///
    /// # Errors
    ///
    /// When the port is taken, or there is no thread to serve it.
    pub fn start_on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(serve::Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = serve::serve(listener, shared.clone(), stopped);
        // With the runtime, every connection that is still held open is closed.
        let thread = thread::Builder::new().name("model-api".into()).spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                panic!("the fake model API does not serve: {error}");
            }
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of a scenario, without what an API puts behind it (`/v1`, `/v1beta`).
    pub fn url(&self, scenario: Scenario) -> String {
        format!("http://{}/s/{scenario}", self.address)
    }

    /// What it was asked so far, in the order in which requests arrived.
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
            // A panic of the thread was shown when it happened.
            let _ = thread.join();
        }
    }
}
