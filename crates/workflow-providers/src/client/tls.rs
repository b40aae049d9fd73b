//! The settings of TLS: the certificates of the system, checked by rustls with ring.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

use super::error::SendError;

static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();

/// The settings, which are read when the first connection needs them.
pub(super) async fn config() -> Result<Arc<ClientConfig>, SendError> {
    // Reads files.
    let read = tokio::task::spawn_blocking(|| CONFIG.get_or_init(build).clone());
    read.await.unwrap_or_else(|error| Err(error.to_string())).map_err(SendError::Refused)
}

fn build() -> Result<Arc<ClientConfig>, String> {
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
