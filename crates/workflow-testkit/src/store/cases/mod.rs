//! The cases, a module for each part of the trait.

mod claiming;
mod controls;
mod counting;
mod creating;
mod damage;
mod durable;
mod events;
mod holding;
mod labels;
mod leases;
mod limits;
mod listing;
mod notices;
mod output;
mod processes;
mod retention;
mod slots;
mod windows;

pub use claiming::*;
pub use controls::*;
pub use counting::*;
pub use creating::*;
pub use damage::*;
pub use durable::*;
pub use events::*;
pub use holding::*;
pub use labels::*;
pub use leases::*;
pub use limits::*;
pub use listing::*;
pub use notices::*;
pub use output::*;
pub use processes::*;
pub use retention::*;
pub use slots::*;
pub use windows::*;
