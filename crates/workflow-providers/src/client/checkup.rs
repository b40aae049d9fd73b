//! Whether requests can be made.

use workflow_core::provider::Checkup;

use super::{runtime, tls};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Reports whether the client can be started and knows authorities for TLS. Makes no connection.
pub(crate) async fn checkup() -> Checkup {
    let found = match runtime::handle() {
        Ok(handle) => handle.spawn(tls::config()).await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("cannot start the HTTP client: {error}")),
    };
    let found = found.and_then(|config| config.map_err(|error| error.to_string()));
    let mut checkup = Checkup::new("built in", found.map(|_| VERSION.to_owned()), VERSION);
    checkup.login = Some("keys are in the definition, as `${secrets.NAME}`".to_owned());
    checkup
}
