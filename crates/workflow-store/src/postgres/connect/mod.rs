//! How connections are opened: what the URL says ([`url`]), which password is sent ([`password`], [`pgpass`]),
//! what a service file adds ([`service_file`]), TLS ([`tls`], [`wire`]), and to which of several hosts
//! ([`opener`]).

pub(super) mod opener;
mod password;
mod pgpass;
mod service_file;
mod tls;
pub(super) mod url;
pub(super) mod wire;
