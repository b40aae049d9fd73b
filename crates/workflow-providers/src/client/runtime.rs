//! The thread that carries out all requests of this process.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

/// Threads that look up names, which blocks.
const LOOK_UPS: usize = 8;

/// The runtime, which is started when it is first needed and lives as long as the process.
///
/// # Errors
///
/// If its thread cannot be started. The next request tries again.
pub(super) fn handle() -> io::Result<Handle> {
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*known {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(LOOK_UPS)
        .thread_name("workflow-http")
        .build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("workflow-http".to_owned()).spawn(run)?;
    *known = Some(handle.clone());
    Ok(handle)
}
