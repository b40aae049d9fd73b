//! The first request of a client: whether the versions fit, and what there is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Scope};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// The version of the protocol: of operations, messages and bindings together. A change that an older client does not
/// notice keeps it.
pub const PROTOCOL: u32 = 1;

/// Says which protocol the client speaks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol that the client was made for.
    pub protocol: u32,
    /// The client's name and version, for the log.
    #[serde(default)]
    pub client: Option<String>,
}

/// What the client talks to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Welcome {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of the library.
    pub version: String,
    /// What the caller may do by its scopes.
    pub scopes: Vec<Scope>,
}

impl Operation for Hello {
    const NAME: &'static str = "service:hello";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Compares the versions of client and service; a client calls it first.";
    type Response = Welcome;

    async fn run(self, _: &Host, caller: &Caller) -> Result<Welcome, ServiceError> {
        let client = self.client.as_deref().unwrap_or("the client");
        if self.protocol != PROTOCOL {
            let (older, with) =
                if self.protocol < PROTOCOL { (client, "this service") } else { ("this service", client) };
            return Err(ServiceError::new(
                Code::VersionMismatch,
                format!(
                    "{client} speaks version {} of the protocol, and this service ({}) version {PROTOCOL}: update {older} to \
                     a version that fits {with}",
                    self.protocol,
                    env!("CARGO_PKG_VERSION"),
                ),
            ));
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Welcome { protocol: PROTOCOL, version, scopes: caller.scopes.clone() })
    }
}
