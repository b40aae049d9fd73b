//! Traces over OTLP: the spans of runs, stages and calls, sent to an OpenTelemetry collector.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use workflow_core::provider::async_trait;

use crate::error::Error;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of a response is read.
const RESPONSE: usize = 1 << 20;

/// Sends what is left when it is dropped.
pub(crate) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is away does not fail the command; what was not sent is lost.
        if let Err(error) = self.0.shutdown() {
            tracing::debug!(%error, "the last traces could not be sent");
        }
    }
}

impl Traces {
    /// Sends traces to the collector at `url`, as `http://127.0.0.1:4318`.
    pub(crate) fn to(url: &str) -> Result<Self, Error> {
        let bad = |message: String| Error::Refused(format!("--otlp {url}: {message}"));
        let uri: hyper::Uri = url.parse().map_err(|error| bad(format!("{error}: write http://HOST:PORT")))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(bad(
                "write http://HOST:PORT: run a collector on this machine or in this network, which can send \
                            the traces on with TLS"
                    .to_owned(),
            ));
        }
        let endpoint = format!("{}/v1/traces", url.trim_end_matches('/'));
        let runtime = tokio_runtime().map_err(Error::System)?;
        let client = Client { runtime, fails: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| bad(error.to_string()))?;
        // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` add to it.
        let resource = Resource::builder();
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name("workflow"),
        };
        Ok(Self(
            SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource.build())
                .build(),
        ))
    }

    /// The layer that records spans: those of the engine, and nothing of the libraries below it.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer: SdkTracer = self.0.tracer("workflow");
        let ours: FilterFn = filter_fn(|metadata| {
            *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("workflow")
        });
        OpenTelemetryLayer::new(tracer).with_filter(ours)
    }
}

fn tokio_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("otlp").enable_all().build()
}

/// Sends requests on a thread of its own: the exporter waits for them on a thread without a runtime.
#[derive(Debug)]
struct Client {
    runtime: Runtime,
    /// Whether the last request failed.
    fails: AtomicBool,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(async move { tokio::time::timeout(LIMIT, exchange(request)).await? });
        let response = sent.await?;
        let problem = match &response {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector answered {}", response.status())),
            Err(error) => Some(error.to_string()),
        };
        let failed = self.fails.swap(problem.is_some(), Ordering::Relaxed);
        if let Some(problem) = problem.filter(|_| !failed) {
            tracing::warn!(problem, "traces cannot be sent; they are lost until that is possible");
        }
        response
    }
}

/// One request on a connection of its own.
async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let host = head.uri.host().ok_or("the address has no host")?.to_owned();
    let port = head.uri.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    head.headers.insert(HOST, format!("{host}:{port}").parse()?);
    head.uri = head.uri.path().parse()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, Limited::new(body, RESPONSE).collect().await?.to_bytes()))
}
