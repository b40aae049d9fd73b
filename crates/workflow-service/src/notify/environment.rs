//! What the channels of targets need.

use std::path::PathBuf;
use std::sync::Arc;

use workflow_core::machine::Secrets;
use workflow_exec::{Clock, Timer};

use crate::notify::tls::Tls;

/// What the channels of targets need.
pub(super) struct Environment {
    pub clock: Arc<dyn Clock>,
    pub timer: Arc<dyn Timer>,
    pub secrets: Arc<dyn Secrets>,
    #[cfg_attr(
        not(all(unix, feature = "notify-command")),
        expect(dead_code, reason = "only commands run in a directory")
    )]
    pub directory: PathBuf,
    pub tls: Tls,
}
