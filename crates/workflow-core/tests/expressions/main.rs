//! The meaning of expressions, through their public interface.

mod conditions;
mod limits;
mod numbers;
mod properties;
mod templates;
