//! Where the values of `${secrets.x}` come from.

/// Returns the values of `${secrets.x}` when a call begins. Must not block: a host with remote secrets
/// fetches them before the run.
pub trait Secrets: Send + Sync {
    /// The secret of that name; `None` if there is none.
    fn secret(&self, name: &str) -> Option<String>;
}
