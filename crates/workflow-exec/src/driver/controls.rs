//! Reads control requests, sent by this process or others, from the store.

use futures::future::FutureExt as _;
use workflow_core::store::ControlRecord;

use crate::driver::lease::Log;
use crate::driver::state::{Driver, Ending};
use crate::driver::watch::meanwhile;
use crate::outage::Outage;

impl Driver<'_> {
    pub(super) async fn read_controls(&mut self) -> Result<(), Ending> {
        let engine = self.engine;
        let mut outage = Outage::new(engine, "reading controls");
        loop {
            let after = self.last_control.max(self.state.last_control());
            let read = engine.store.controls(self.hold.run(), after);
            match meanwhile(&mut self.underway, &mut self.watch, true, read).await {
                Some(Ok(controls)) => {
                    self.add_controls(controls);
                    return Ok(());
                }
                Some(Err(error)) => self.pause(&mut outage, error).boxed().await?,
                None => {}
            }
            if self.entered.inbox.is_lost() && self.regain(false).boxed().await? == Log::Changed {
                return Err(Ending::Changed);
            }
        }
    }

    pub(super) fn add_controls(&mut self, controls: Vec<ControlRecord>) {
        for mut control in controls {
            self.io.secrets().control(&mut control.control);
            if control.number > self.last_control {
                self.last_control = control.number;
                self.controls.push(control);
            }
        }
    }
}
