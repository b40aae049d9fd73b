//! `--metrics`: figures for Prometheus, and checks for an orchestrator.

use std::net::{SocketAddr, TcpListener};

use futures::FutureExt as _;
use futures::channel::oneshot;
use tokio::runtime::{Builder, Runtime};
use workflow_exec::Engine;
use workflow_service::metrics::{self, Metrics};

use crate::error::Error;
use crate::print;

/// An address that figures will be served at.
pub(crate) struct Monitoring {
    pub metrics: Metrics,
    listener: TcpListener,
}

/// Serves figures on a thread of its own until it is dropped.
pub(crate) struct Monitored {
    runtime: Option<Runtime>,
    _stop: oneshot::Sender<()>,
}

impl Monitoring {
    /// Takes the address.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, Error> {
        let listener =
            TcpListener::bind(address).map_err(|error| Error::Refused(format!("{address}: {error}")))?;
        listener.set_nonblocking(true).map_err(Error::System)?;
        Ok(Self { metrics: Metrics::new(), listener })
    }

    /// Serves the figures of an engine.
    pub(crate) fn start(self, engine: &Engine) -> Result<Monitored, Error> {
        let Self { metrics, listener } = self;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::System)?;
        let address = listener.local_addr().map_err(Error::System)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(Error::System)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let engine = engine.clone();
        runtime.spawn(async move {
            if let Err(error) = metrics::serve(metrics, engine, listener, stopped.map(drop)).await {
                tracing::error!(%error, "metrics are no longer served");
            }
        });
        print::to_stderr(&format!("metrics at http://{address}/metrics"));
        Ok(Monitored { runtime: Some(runtime), _stop: stop })
    }
}

impl Drop for Monitored {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
