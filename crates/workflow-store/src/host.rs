//! How this process identifies itself to other users of the same store.

use std::fs;

/// The host name of this machine, if the system provides it.
pub(crate) fn host_name() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())?;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
    (!name.is_empty()).then_some(name)
}

/// Describes a process that drives runs, for other processes.
pub(crate) fn describe(process: u32, host: Option<&str>) -> String {
    match host {
        Some(host) => format!("process {process} on {host}"),
        None => format!("process {process}"),
    }
}
