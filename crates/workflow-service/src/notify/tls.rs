//! The settings of TLS.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::notify::deliver::DeliveryError;

/// The settings of TLS, which are read when the first webhook needs them.
#[derive(Default)]
pub(super) struct Tls(OnceCell<Result<Arc<ClientConfig>, String>>);

impl Tls {
    /// The settings, with the certificates of the system.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, DeliveryError> {
        let read = async || {
            // Reads files.
            tokio::task::spawn_blocking(config).await.unwrap_or_else(|error| Err(error.to_string()))
        };
        self.0.get_or_init(read).await.clone().map_err(DeliveryError::permanent)
    }
}

fn config() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(
            "the system has no certificates of authorities: install them (`ca-certificates`)".to_owned()
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
