//! The connection that listens for notifications.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client};

use super::connect::opener::Opener;
use super::database::Query;
use super::service::Service;

/// The delay before the next attempt: it grows up to the second value.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long the store's own test notification may take to arrive.
const SELF_TEST: Duration = Duration::from_secs(5);

const TEST: Query = Query::new("SELECT pg_notify($1, $2)", &[Type::TEXT, Type::TEXT]);

impl Service {
    /// Listens, and reconnects when the connection is lost.
    pub(super) async fn listen(self: Rc<Self>, opener: Opener, limit: Duration) {
        let mut pause = PAUSE;
        loop {
            match timeout(limit, self.connect(&opener)).await {
                Ok(Ok(mut ears)) => {
                    if self.hears(&mut ears.payloads).await {
                        pause = PAUSE;
                        self.hints.listening.set(true);
                        // Notifications may have been missed while not connected.
                        self.hints.watchers.call(None);
                        while let Some(payload) = ears.payloads.recv().await {
                            self.heard(&payload);
                        }
                        self.hints.listening.set(false);
                        tracing::info!(
                            "lost the connection that listens for notifications; connecting again"
                        );
                    } else {
                        tracing::warn!(
                            "notifications do not arrive, perhaps because of a connection pooler: polling instead"
                        );
                        pause = LONGEST_PAUSE;
                    }
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = %self.database.error(&error), "cannot listen for notifications");
                }
                Err(_) => {
                    tracing::warn!("cannot listen for notifications: the database did not answer in time");
                }
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn connect(&self, opener: &Opener) -> Result<Ears, tokio_postgres::Error> {
        let (client, mut connection) = opener.open().await?;
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

    /// Whether a notification that is sent like all others arrives.
    async fn hears(&self, payloads: &mut mpsc::UnboundedReceiver<String>) -> bool {
        // Its payload differs from that of a hint.
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

/// A connection that receives notifications until it is dropped.
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
