//! From trees of files to values, as far as their types allow. What values have to be beyond that is the same for
//! definitions built in Rust: see `check`.

mod assignments;
mod call;
mod fields;
mod inputs;
mod notifications;
mod place;
mod profile;
mod providers;
mod role;
mod schema;
mod workflow;

pub(super) use fields::Fields;
pub(super) use place::PlacedFile;
pub(super) use profile::profile;
pub(super) use role::{parts, role};
pub(super) use schema::{check_tree, explained_value, schema};
pub(super) use workflow::workflow;

pub use assignments::{ParsedAssignments, parse_assignments};
pub use notifications::{ParsedNotifications, parse_notifications};
pub use providers::{ParsedProviders, parse_providers};
pub use role::read_front_matter;
pub use schema::{check_schema, read_schema, read_value};
