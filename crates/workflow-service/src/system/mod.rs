//! Operations on the host itself: what it has, what works for it, and what is used of its limits.

mod doctor;
mod limits;
mod stores;
mod workers;

pub use doctor::{CatalogCheck, Diagnosis, Doctor, ProviderCheck, StoreCheck};
pub use limits::{LimitInfo, LimitList, Limits};
pub use stores::{StoreInfo, StoreList, Stores};
pub use workers::{WorkerInfo, WorkerList, Workers};
