//! The whole environment of a program; only allowed variables are inherited.

use std::collections::BTreeMap;
use std::ffi::OsString;

use workflow_core::provider::{CallRequest, ProviderError};

use crate::process::Marker;

/// The variables that programs inherit by default.
pub(crate) const DEFAULT: [&str; 11] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TERM"];

/// The allowed variables of this process, then those of the stage, then `own`, then the markers of the call;
/// later variables replace earlier ones.
pub(crate) fn of_call(
    allowed: &[OsString],
    request: &CallRequest,
    own: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(OsString, OsString)>, ProviderError> {
    if let Some(name) = request.env.keys().find(|name| !is_variable_name(name)) {
        let message = format!("env: {name:?} cannot be the name of an environment variable");
        return Err(ProviderError::permanent(message));
    }
    let of_stage = request.env.iter().map(|(name, value)| (name.into(), value.into()));
    let all = inherited(allowed).chain(of_stage).chain(own).chain(Marker::variables(&request.id));
    Ok(all.collect::<BTreeMap<_, _>>().into_iter().collect())
}

/// The allowed variables of this process.
pub(crate) fn inherited(allowed: &[OsString]) -> impl Iterator<Item = (OsString, OsString)> {
    allowed.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?)))
}

/// Whether an environment can contain a variable with this name.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}
