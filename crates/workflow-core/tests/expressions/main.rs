//! What expressions mean, through their public interface.

mod conditions;
mod limits;
mod properties;
mod templates;
