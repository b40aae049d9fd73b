//! One run in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::order::control_of;
use super::super::window::WindowScan;
use super::super::{ControlRecord, ControlRequest, Lease, OutputFilter, OutputWindow, RunHead, RunRecord};
use super::holder::Holder;
use super::notices::Notices;
use crate::event::Event;
use crate::ids::RunId;
use crate::output::{OutputEntry, OutputKind};
use crate::status::RunStatus;

/// The size that a kept output entry counts for besides its text.
const ENTRY_SIZE: usize = size_of::<OutputEntry>();

pub(super) struct Run {
    pub(super) epoch: u64,
    /// The holder of the newest lease, unless it was released, and the life it belongs to.
    holder: Option<(Arc<Holder>, u64)>,
    pub(super) head: RunHead,
    /// The events, as they were appended: a log that grows is never copied.
    log: Vec<Arc<[Event]>>,
    pub(super) controls: Vec<ControlRecord>,
    /// How many controls the holder has received.
    handed: usize,
    /// The highest control that an event obeys: a new holder receives only later ones.
    obeyed: u64,
    /// How many holders in a row died, and the number of the last event then.
    deaths: (u32, u64),
    output: Option<Box<Output>>,
    pub(super) notices: Notices,
}

#[derive(Default)]
pub(super) struct Output {
    pub(super) entries: VecDeque<OutputEntry>,
    size: usize,
    dropped: u64,
}

impl Run {
    pub(super) fn new(head: RunHead, events: Arc<[Event]>) -> Self {
        let mut run = Self {
            epoch: 0,
            holder: None,
            head,
            log: Vec::new(),
            controls: Vec::new(),
            handed: 0,
            obeyed: 0,
            deaths: (0, 0),
            output: None,
            notices: Notices::default(),
        };
        run.add_events(events);
        run
    }

    /// The holder, if the lease is valid.
    pub(super) fn holder(&self) -> Option<&Arc<Holder>> {
        let (holder, life) = self.holder.as_ref()?;
        holder.lives(*life).then_some(holder)
    }

    /// Whether the lease is valid, for `holder`.
    pub(super) fn is_held(&self, lease: &Lease, holder: &Arc<Holder>) -> bool {
        self.epoch == lease.epoch
            && self.holder.as_ref().is_some_and(|(of, life)| Arc::ptr_eq(of, holder) && of.lives(*life))
    }

    /// Whether a driver can continue it without a person.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.head.status, RunStatus::Pending | RunStatus::Running)
    }

    pub(super) fn lend(&mut self, holder: &Arc<Holder>, epoch: u64) {
        self.epoch = epoch;
        self.holder = Some((Arc::clone(holder), holder.lend()));
        self.handed = self.controls.partition_point(|control| control.number <= self.obeyed);
    }

    /// Takes the run from a dead holder, unless that is `next`. Returns how many holders in a row died since
    /// the last event.
    pub(super) fn bury(&mut self, next: &Arc<Holder>) -> u32 {
        if self.holder.as_ref().is_some_and(|(holder, _)| !Arc::ptr_eq(holder, next)) {
            self.lose_holder();
        }
        self.give_back();
        if self.deaths.1 == self.last_event() { self.deaths.0 } else { 0 }
    }

    /// If it has a holder, that holder is dead.
    pub(super) fn lose_holder(&mut self) {
        if self.holder.is_some() {
            let last = self.last_event();
            let before = if self.deaths.1 == last { self.deaths.0 } else { 0 };
            self.deaths = (before.saturating_add(1), last);
            self.give_back();
        }
    }

    pub(super) fn give_back(&mut self) {
        if let Some((holder, life)) = self.holder.take() {
            holder.give_back(life);
        }
    }

    pub(super) fn add_events(&mut self, events: Arc<[Event]>) {
        if events.is_empty() {
            return;
        }
        for event in &*events {
            if let Some(control) = control_of(&event.body) {
                self.obeyed = self.obeyed.max(control);
            }
        }
        self.log.push(events);
    }

    pub(super) fn last_event(&self) -> u64 {
        self.log.last().map_or(0, |piece| last_event(piece))
    }

    pub(super) fn events(&self, after: u64, limit: usize) -> Vec<Event> {
        let read = self.log.partition_point(|piece| last_event(piece) <= after);
        let events = self.log[read..].iter().flat_map(|piece| &**piece);
        events.skip_while(|event| event.seq <= after).take(limit).cloned().collect()
    }

    /// Records a control request, and returns its number.
    pub(super) fn ask(&mut self, request: ControlRequest) -> u64 {
        let number = self.controls.len() as u64 + 1;
        self.controls.push(ControlRecord::new(number, request));
        number
    }

    /// The controls that the holder has not received yet.
    pub(super) fn hand_controls(&mut self) -> Vec<ControlRecord> {
        let new = self.controls[self.handed..].to_vec();
        self.handed = self.controls.len();
        new
    }

    pub(super) fn record(&self, id: &RunId) -> RunRecord {
        let holder = self.holder().map(ToString::to_string);
        RunRecord { run_id: id.clone(), head: self.head.clone(), holder, behind: None }
    }

    pub(super) fn last_output(&self) -> u64 {
        self.output.as_ref().and_then(|output| output.entries.back()).map_or(0, |entry| entry.number)
    }

    pub(super) fn output(&self, after: u64, limit: usize) -> Vec<OutputEntry> {
        let Some(output) = &self.output else { return Vec::new() };
        let start = output.entries.partition_point(|entry| entry.number <= after);
        output.entries.range(start..).take(limit).cloned().collect()
    }

    pub(super) fn output_window(&self, filter: &OutputFilter) -> OutputWindow {
        let mut scan = WindowScan::new(filter);
        let entries = self.output.as_ref().map(|output| &output.entries);
        let (after, before) = scan.range();
        if let Some(entries) = entries {
            let start = entries.partition_point(|entry| entry.number <= after);
            let end = entries.partition_point(|entry| entry.number < before).max(start);
            let range = entries.range(start..end);
            if scan.is_backwards() {
                pass(&mut scan, range.rev());
            } else {
                pass(&mut scan, range);
            }
        }
        scan.finish()
    }

    pub(super) fn add_output(&mut self, entries: &[OutputEntry], limit: usize) {
        self.output.get_or_insert_default().add(entries, limit);
    }
}

fn pass<'a>(scan: &mut WindowScan<'_>, entries: impl Iterator<Item = &'a OutputEntry>) {
    for entry in entries {
        if scan.is_done() {
            break;
        }
        scan.add(entry);
    }
}

fn last_event(events: &[Event]) -> u64 {
    events.last().map_or(0, |event| event.seq)
}

impl Output {
    fn add(&mut self, entries: &[OutputEntry], limit: usize) {
        for entry in entries {
            self.size += entry.text.len() + ENTRY_SIZE;
            self.entries.push_back(entry.clone());
        }
        let mut last = None;
        // The newest entry is kept, however large, so that the numbers continue.
        while self.size > limit && self.entries.len() > 1 {
            if let Some(entry) = self.entries.pop_front() {
                self.size -= entry.text.len() + ENTRY_SIZE;
                self.dropped += u64::from(entry.kind != OutputKind::Dropped);
                last = Some(entry);
            }
        }
        if let Some(mut entry) = last {
            entry.kind = OutputKind::Dropped;
            entry.text = self.dropped.to_string();
            self.size += entry.text.len() + ENTRY_SIZE;
            self.entries.push_front(entry);
        }
    }
}
