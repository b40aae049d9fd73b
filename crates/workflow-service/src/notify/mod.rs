//! Notifications: targets are told when a run waits for a person, fails, completes, or nears its budget.
//!
//! A [`Notifier`] looks at the events of a store, also of runs that other processes drive, and tells each target of
//! each event once: any number of notifiers may share a store. A target is a webhook or a command of
//! `config/notify.yml`, or a [`Deliver`] of the host.
//!
//! A notice is claimed in the store, delivered, and settled there. If a process ends between delivery and
//! settlement, another one delivers it again after a while, with the same id; everything else happens once.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use workflow_core::definition::NoticeKind;
//! use workflow_core::provider::async_trait;
//! use workflow_exec::Engine;
//! use workflow_service::notify::{Deliver, DeliveryError, Hints, Notice, Notifier};
//!
//! /// Shows notices on the desktop.
//! struct Desktop;
//!
//! #[async_trait]
//! impl Deliver for Desktop {
//!     async fn deliver(&self, notice: &Notice, _: Duration) -> Result<(), DeliveryError> {
//!         println!("{}", notice.to_json());
//!         Ok(())
//!     }
//! }
//!
//! # async fn host() -> Result<(), Box<dyn std::error::Error>> {
//! let hints = Hints::default();
//! let engine = Engine::builder().sink(hints.clone()).build()?;
//! let notifier = Notifier::builder(engine.store().clone())
//!     .hints(hints)
//!     .channel("desktop", [NoticeKind::Waiting, NoticeKind::Failed], Desktop)
//!     .build();
//! notifier.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod address;
mod attempt;
mod builder;
#[cfg(all(unix, feature = "notify-command"))]
mod command;
mod deliver;
mod environment;
mod hints;
mod look;
mod notice;
mod notifier;
mod pick;
mod queue;
mod sign;
mod target;
mod tls;
mod webhook;

pub use builder::NotifierBuilder;
pub use deliver::{Deliver, DeliveryError};
pub use hints::Hints;
pub use notice::{Notice, NoticeBudget, NoticeFailure, NoticeRun, NoticeType, NoticeWait};
pub use notifier::Notifier;
