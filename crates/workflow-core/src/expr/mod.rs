//! Expressions: `${…}` in the texts of a definition, and conditions.
//!
//! Both are parsed once, when a definition is compiled, and evaluated during a run.
//!
//! # Interpolation
//!
//! A [`Template`] is a text in which `${name}` stands for a value:
//!
//! | written | means |
//! |---|---|
//! | `${vars.feature}` | a name: keys with `.` between them, of letters, digits, `-` and `_` |
//! | `${stages.test.results[0].output}` | an element of an array; `.0` means the same |
//! | `${vars.branch:-main}` | the text `main` when there is no `vars.branch` |
//! | `$${vars.feature}` | the text `${vars.feature}` |
//! | `$5`, `$HOME` | themselves: only `${` is special |
//!
//! A value that was put in is data. It is never looked at for further expressions. A text that is
//! one expression and nothing else keeps the type of its value. A default is always text, cannot
//! contain braces, and is used only where the name is absent: `null` is a value.
//!
//! ```
//! use serde_json::json;
//! use workflow_core::expr::Template;
//!
//! let scope = json!({ "vars": { "feature": "login", "count": 3 } });
//! let text = Template::parse("Test ${vars.feature} on ${vars.branch:-main}")?;
//! assert_eq!(text.render(&scope)?, json!("Test login on main"));
//! assert_eq!(Template::parse("${vars.count}")?.render(&scope)?, json!(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Conditions
//!
//! A [`Condition`] is made of comparisons and JSONPath queries; see there.

mod absent;
mod condition;
mod error;
mod name;
mod scope;
mod template;
mod value;

pub use absent::NameError;
pub use condition::Condition;
pub use error::SyntaxError;
pub use name::Name;
pub use scope::Scope;
pub use template::Template;
pub use value::ValueTemplate;
