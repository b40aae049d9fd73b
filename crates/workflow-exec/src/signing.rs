//! Signing the events of a run that say what it executes, and checking their signatures.

use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;

use crate::key::{OTHER_DEFINITION, is_of, set_signature, signature};
use crate::shared::Shared;
use workflow_core::runs::EngineError;

impl Shared {
    /// Signs those events of a run that need a signature. Without a key, removes the signature that an event
    /// may have been copied with from another run.
    pub(crate) fn sign(&self, run: &RunId, events: &mut [Event]) {
        for event in events {
            match &self.run_key {
                Some(key) => key.sign(run, event),
                None if signature(event).is_some() => set_signature(event, None),
                None => {}
            }
        }
    }

    /// Refuses events that this engine's key has not signed, if it has one.
    pub(crate) fn check_signatures(&self, run: &RunId, events: &[Event]) -> Result<(), EngineError> {
        let Some(key) = &self.run_key else { return Ok(()) };
        let problem = events.iter().find_map(|event| key.verify(run, event).err());
        problem.map_or(Ok(()), |problem| Err(EngineError::NotSigned { run: run.clone(), problem }))
    }

    /// Refuses a definition that is not the one whose hash was signed, if this engine has a key: a store
    /// looks it up by that hash and may return a different one.
    pub(crate) fn check_bundle(
        &self,
        run: &RunId,
        hash: &BundleHash,
        bundle: &Bundle,
    ) -> Result<(), EngineError> {
        if self.run_key.is_none() || is_of(bundle, hash) {
            return Ok(());
        }
        Err(EngineError::NotSigned { run: run.clone(), problem: OTHER_DEFINITION.to_owned() })
    }
}
