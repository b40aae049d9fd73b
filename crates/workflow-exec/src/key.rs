//! Keys with which runs are signed, for workers that do not trust everyone who can write to their store.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use workflow_core::actor::Actor;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody, RunCreated, RunForked};
use workflow_core::ids::RunId;

/// The shortest key, in bytes.
const SHORTEST: usize = 16;

/// The domain of a signature, so that it is valid for nothing else.
const PURPOSE: &str = "workflow run, version 1";

pub(crate) const OTHER_DEFINITION: &str = "its definition does not have the hash that is signed";

/// A key with which an engine signs the runs that it makes. It does not drive other runs.
///
/// What is signed with HMAC-SHA-256: the id of a run with the hash of its definition, its variables and
/// everything else that it was created with; what a fork changes; each definition that it was moved to; and who did
/// each of these.
/// Later results, answers and control requests are not signed. See `SECURITY.md`.
#[derive(Clone)]
pub struct RunKey(Arc<[u8]>);

/// A text cannot be used as a key for signing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key for runs has at least {SHORTEST} bytes: use random ones, as `openssl rand -hex 32` makes")]
pub struct InvalidRunKey;

impl RunKey {
    /// A key of random bytes, in whatever encoding.
    ///
    /// # Errors
    ///
    /// [`InvalidRunKey`] when it is shorter than 16 bytes.
    ///
    /// ```
    /// use workflow_exec::{Engine, RunKey};
    ///
    /// let engine = Engine::builder().run_key(RunKey::new("0f6c5b8d9e2a41370f6c5b8d9e2a4137")?).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, InvalidRunKey> {
        let key = key.as_ref();
        if key.len() < SHORTEST { Err(InvalidRunKey) } else { Ok(Self(key.into())) }
    }

    fn mac(&self, run: &RunId, seq: u64, content: &Content<'_>) -> Option<Hmac<Sha256>> {
        // Neither fails: every length is a key, and all that an event holds can be written.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(&serde_json::to_vec(&(PURPOSE, run, seq, content)).ok()?);
        Some(mac)
    }

    /// Signs an event, if it is one of those that are signed.
    pub(crate) fn sign(&self, run: &RunId, event: &mut Event) {
        use fmt::Write as _;
        let Some(mac) = Content::of(event).and_then(|content| self.mac(run, event.seq, &content)) else {
            return;
        };
        let mut text = String::with_capacity(64);
        for byte in mac.finalize().into_bytes() {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        set_signature(event, Some(text.into()));
    }

    /// Says what is wrong with the signature of an event, if it is one of those that are signed.
    pub(crate) fn verify(&self, run: &RunId, event: &Event) -> Result<(), String> {
        let Some(content) = Content::of(event) else { return Ok(()) };
        let what = format!("its event {} ({})", event.seq, event.body.kind());
        let Some(signature) = signature(event) else { return Err(format!("{what} has no signature")) };
        let mac = self.mac(run, event.seq, &content);
        let is_right = mac.zip(bytes(signature)).is_some_and(|(mac, bytes)| mac.verify_slice(&bytes).is_ok());
        match &event.body {
            _ if !is_right => Err(format!("{what} is not signed with this key")),
            EventBody::RunMigrated { hash, bundle, .. } if !is_of(bundle, hash) => {
                Err(OTHER_DEFINITION.to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunKey")
    }
}

/// The part of an event that is signed.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'e> {
    Created(RunCreated),
    Forked(RunForked),
    Migrated(&'e BundleHash),
    MigratedBy(&'e BundleHash, &'e Actor),
}

impl<'e> Content<'e> {
    fn of(event: &'e Event) -> Option<Self> {
        match &event.body {
            EventBody::RunCreated(created) => {
                Some(Self::Created(RunCreated { signature: None, ..RunCreated::clone(created) }))
            }
            EventBody::RunForked(forked) => {
                Some(Self::Forked(RunForked { signature: None, ..RunForked::clone(forked) }))
            }
            EventBody::RunMigrated { hash, by, .. } => Some(match by {
                Some(by) => Self::MigratedBy(hash, by),
                None => Self::Migrated(hash),
            }),
            _ => None,
        }
    }
}

pub(crate) fn signature(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::RunCreated(created) => created.signature.as_deref(),
        EventBody::RunForked(forked) => forked.signature.as_deref(),
        EventBody::RunMigrated { signature, .. } => signature.as_deref(),
        _ => None,
    }
}

pub(crate) fn set_signature(event: &mut Event, new: Option<Box<str>>) {
    match &mut event.body {
        EventBody::RunCreated(created) => {
            *created = Arc::new(RunCreated { signature: new, ..RunCreated::clone(created) });
        }
        EventBody::RunForked(forked) => forked.signature = new,
        EventBody::RunMigrated { signature, .. } => *signature = new,
        _ => {}
    }
}

/// The bytes of a text in hexadecimal.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    text.as_bytes().chunks(2).map(|two| if two.len() == 2 { pair(two) } else { None }).collect()
}

pub(crate) fn is_of(bundle: &Bundle, hash: &BundleHash) -> bool {
    bundle.hash().is_ok_and(|of| of == *hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use workflow_core::definition::Workflow;

    use super::*;

    /// Computed apart from this code, for events as earlier versions wrote them.
    const SIGNED: [&str; 3] = [
        "edac3c26b723ee419da22825d73f8d3dba2f4f75b42db1b08ea05777156db532",
        "c5c428df4fc53ed247e7d97864514803bf8d67fb6eb5d8924d7f3afa064a27ad",
        "93a4b9dba153f1dff7089fa1ad3d44fa6a64256f0363d08467f0837c5e7c1ae2",
    ];

    #[test]
    fn events_without_an_actor_are_signed_as_before() {
        let hash = "0f".repeat(32);
        let bundle = Bundle::new(Workflow::new("w".parse().unwrap(), "W"));
        let bodies = [
            json!({ "type": "run_created", "data": { "run": "r1", "workflow": "w", "bundle": hash, "seed": 7 } }),
            json!({ "type": "run_forked", "data": { "from": "r0", "event": 3 } }),
            json!({ "type": "run_migrated", "data": { "hash": hash, "bundle": bundle } }),
        ];
        let key = RunKey::new("a key of this house, and of no other").unwrap();
        let run = "r1".parse().unwrap();
        for (seq, (body, signed)) in [1, 2, 2].into_iter().zip(bodies.into_iter().zip(SIGNED)) {
            let body: EventBody = serde_json::from_str(&body.to_string()).unwrap();
            let mut event = Event { seq, at: jiff::Timestamp::UNIX_EPOCH, body };
            key.sign(&run, &mut event);
            assert_eq!(signature(&event), Some(signed), "{}", event.body.kind());
        }
    }
}
