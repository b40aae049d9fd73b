//! The templates of roles.
//!
//! A role's text is a Handlebars template. It knows the role's variables, the names in its `inputs`, the
//! stages of the workflow by their ids, and `inputs`, `guards`, `vars`, `stages`, `nodes`, `stage`, `item`,
//! `iteration` and `run`; any other name is an error. Beside the blocks `each`, `if`, `unless` and `with`
//! there are `{{json x}}`, `{{length xs}}` and `{{#ifEquals a b}}`. Nothing is escaped: a prompt is not HTML.
//! A value is data, and never looked at for templates.
//!
//! A template comes from a file, and what it goes through from anywhere, so both are bounded: a template has at
//! most 256 KiB, 1000 tags and 32 blocks in each other; a text has at most 8 MiB, and a template that goes
//! through more than 200,000 parts of itself and its values is ended with an error.
//!
//! Templates are rendered with the feature `roles`; without it, compiling one is an error that says so.

#[cfg(feature = "roles")]
mod engine;
#[cfg(not(feature = "roles"))]
#[path = "without.rs"]
mod engine;
#[cfg_attr(not(feature = "roles"), allow(dead_code, reason = "calls are checked where they are read"))]
mod grammar;
#[cfg(feature = "roles")]
mod helpers;
mod known;
mod model;
#[cfg(feature = "roles")]
mod names;
#[cfg(feature = "roles")]
mod numbers;
#[cfg(feature = "roles")]
mod scan;
mod template;

pub(crate) use grammar::is_helper;
pub(crate) use known::{Known, PREVIOUS, known};
pub(crate) use model::BUILT_IN;
pub(crate) use template::{names_of_prompt, needed_by_prompt, problems, prompt_role};

pub use known::RoleError;
pub use model::{Role, Variable, VariableType};
pub use template::{Rendered, RoleTemplate};
