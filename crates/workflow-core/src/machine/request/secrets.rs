//! Where the values of `${secrets.x}` come from.

/// Gives the values of `${secrets.x}` at the moment of a call. Must not block: a host that keeps
/// its secrets far away fetches them before the run.
pub trait Secrets: Send + Sync {
    /// The secret of that name.
    fn secret(&self, name: &str) -> Option<String>;
}
