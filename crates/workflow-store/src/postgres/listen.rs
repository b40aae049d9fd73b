//! The connection that listens.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config};

use super::database::Query;
use super::service::Service;
use super::wire::Connector;

/// How long to wait before the next try: longer each time up to the last.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a notification of its own may take to come.
const SELF_TEST: Duration = Duration::from_secs(5);

const TEST: Query = Query::new("SELECT pg_notify($1, $2)", &[Type::TEXT, Type::TEXT]);

impl Service {
    /// Listens, and connects again when the connection is lost.
    pub(super) async fn listen(self: Rc<Self>, config: Config, connector: Connector, limit: Duration) {
        let mut pause = PAUSE;
        loop {
            match timeout(limit, self.connect(&config, &connector)).await {
                Ok(Ok(mut ears)) => {
                    if self.hears(&mut ears.payloads).await {
                        pause = PAUSE;
                        self.hints.listening.set(true);
                        // What came while nobody listened.
                        self.hints.watchers.call(None);
                        while let Some(payload) = ears.payloads.recv().await {
                            self.heard(&payload);
                        }
                        self.hints.listening.set(false);
                        tracing::info!("the connection that listens was lost");
                    } else {
                        tracing::warn!(
                            "no notification comes through: a pooler may be in between; controls are looked for"
                        );
                        pause = LONGEST_PAUSE;
                    }
                }
                Ok(Err(error)) => tracing::warn!(error = %self.database.error(&error), "cannot listen"),
                Err(_) => tracing::warn!("cannot listen: the database did not answer in time"),
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn connect(&self, config: &Config, connector: &Connector) -> Result<Ears, tokio_postgres::Error> {
        let (client, mut connection) = config.connect(connector.clone()).await?;
        let (sender, payloads) = mpsc::unbounded_channel();
        let pump = spawn_local(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notification) = message
                    && sender.send(notification.payload().to_owned()).is_err()
                {
                    break;
                }
            }
        });
        let ears = Ears { client, payloads, pump };
        ears.client.batch_execute(&format!("LISTEN {}", self.database.schema())).await?;
        Ok(ears)
    }

    /// Whether a notification that is sent in the way of all others arrives.
    async fn hears(&self, payloads: &mut mpsc::UnboundedReceiver<String>) -> bool {
        // It has not the form of a hint.
        let payload = format!("test:{}", self.worker.get());
        if self.database.read(&TEST, &[&self.channel(), &payload]).await.is_err() {
            return false;
        }
        let heard = async {
            while let Some(heard) = payloads.recv().await {
                if heard == payload {
                    return true;
                }
            }
            false
        };
        timeout(SELF_TEST, heard).await.unwrap_or(false)
    }
}

/// A connection on which notifications come, until it is dropped.
struct Ears {
    #[allow(dead_code, reason = "the connection ends with it")]
    client: Client,
    payloads: mpsc::UnboundedReceiver<String>,
    pump: JoinHandle<()>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.pump.abort();
    }
}
