//! A provider whose client needs the reactor and the timers of tokio, as HTTP clients do, in the suite.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::stop::Stop;
use workflow_testkit::provider::{Ask, Fixture, Runtime};

/// Sends the prompt as a line to a service, and replies with the response line.
struct Client(SocketAddr);

impl Client {
    async fn exchange(&self, prompt: &str) -> std::io::Result<String> {
        let stream = TcpStream::connect(self.0).await?;
        let line = format!("{prompt}\n");
        let mut sent = 0;
        while sent < line.len() {
            stream.writable().await?;
            sent += retried(stream.try_write(&line.as_bytes()[sent..]))?;
        }
        let (mut answer, mut buffer) = (Vec::new(), [0; 64]);
        while !answer.ends_with(b"\n") {
            stream.readable().await?;
            match stream.try_read(&mut buffer) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => answer.extend_from_slice(&buffer[..retried(read)?]),
            }
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }
}

/// The number of bytes; `None` if it was not ready after all.
fn retried(done: std::io::Result<usize>) -> std::io::Result<usize> {
    match done {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
        done => done,
    }
}

#[async_trait]
impl Provider for Client {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        context.output(OutputKind::Log, "connects");
        let exchange = tokio::time::timeout(Duration::from_secs(3_600), self.exchange(&request.prompt));
        tokio::select! {
            biased;
            () = context.stop().wait(Stop::Gracefully) => Err(ProviderError::cancelled()),
            answer = exchange => match answer.map_err(|_| ProviderError::transient("the service is silent"))? {
                Ok(answer) => Ok(Reply::text(answer)),
                Err(error) => Err(ProviderError::transient(error.to_string())),
            },
        }
    }
}

/// A local service: it repeats lines, closes the connection on `bye`, and never answers `wait`.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut line = String::new();
                let read = BufReader::new(&stream).read_line(&mut line);
                match line.trim_end() {
                    "wait" => drop(BufReader::new(&stream).read_line(&mut line)),
                    "bye" => {}
                    _ if read.is_ok() => drop((&stream).write_all(line.as_bytes())),
                    _ => {}
                }
            });
        }
    });
    address
}

struct OnTokio(SocketAddr);

impl Fixture for OnTokio {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(Client(self.0))
    }

    fn runtime(&self) -> Runtime {
        Runtime::tokio()
    }

    fn answered(&self) -> Ask {
        Ask::new("hello", json!(null))
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![(Ask::new("bye", json!(null)), FailureClass::Transient)]
    }

    fn endless(&self) -> Ask {
        Ask::new("wait", json!(null))
    }
}

mod on_the_runtime_of_the_kit {
    workflow_testkit::provider_suite!(super::OnTokio(super::serve()));
}

/// The same on a runtime that the test creates.
struct OnItsOwn(OnTokio);

impl Fixture for OnItsOwn {
    fn provider(&self) -> Box<dyn Provider> {
        self.0.provider()
    }

    fn runtime(&self) -> Runtime {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Runtime::new(move |future| runtime.block_on(future))
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

mod on_a_runtime_of_its_own {
    workflow_testkit::provider_suite!(super::OnItsOwn(super::OnTokio(super::serve())));
}
