//! What expressions mean, through their public interface.

mod conditions;
mod limits;
mod numbers;
mod properties;
mod templates;
