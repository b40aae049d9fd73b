//! `workflow top`: the runs of a store on a terminal, live.
//!
//! - [`model`] is what is shown, as a state machine without I/O: it takes [`message::Event`]s and returns
//!   [`message::Effect`]s.
//! - [`view`] draws a model.
//! - [`source`] reads the store, on a thread of its own, and sends control requests.
//! - [`terminal`] puts the terminal into its mode for full screens, and back.
//!
//! It drives no run: it shows what is stored, and sends what a person confirmed.

pub(crate) mod look;
pub(crate) mod message;
pub(crate) mod model;
pub(crate) mod source;
pub(crate) mod terminal;
pub(crate) mod view;

#[cfg(test)]
mod tests;
