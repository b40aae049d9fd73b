//! The event sinks pass the conformance suite.

#![cfg(test)]

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};

use futures::StreamExt;
use futures::executor::block_on;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;
use workflow_store::{ChannelSink, JsonlSink, Notice, Notices};
use workflow_testkit::sink::{Consumer, Fixture, Seen};

mod channel {
    workflow_testkit::sink_suite!(super::Channel);
}

mod lines {
    workflow_testkit::sink_suite!(super::Lines);
}

struct Channel;

struct Receiver(Notices);

impl Fixture for Channel {
    fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>) {
        let (sink, notices) = ChannelSink::new(capacity);
        (Box::new(sink), Box::new(Receiver(notices)))
    }
}

impl Consumer for Receiver {
    fn go_on(&mut self) {}

    fn rest(&mut self) -> Vec<Seen> {
        let seen = self.0.by_ref().map(|notice| match notice {
            Notice::Event { run, event } => Seen::Event(run, event.seq),
            Notice::Output { run, entry } => Seen::Output(run, entry.number),
            Notice::Missed { events, output } => Seen::Missed { events, output },
            other => panic!("{other:?}"),
        });
        block_on(seen.collect())
    }
}

struct Lines;

/// A writer that blocks until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Taken>, Condvar)>);

#[derive(Default)]
struct Taken {
    open: bool,
    text: Vec<u8>,
}

impl Fixture for Lines {
    fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>) {
        let gate = Gate::default();
        (Box::new(JsonlSink::new(gate.clone(), capacity).unwrap()), Box::new(gate))
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (state, opened) = &*self.0;
        let mut state = opened.wait_while(state.lock().unwrap(), |taken| !taken.open).unwrap();
        state.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Consumer for Gate {
    fn go_on(&mut self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    fn rest(&mut self) -> Vec<Seen> {
        let text = String::from_utf8(self.0.0.lock().unwrap().text.clone()).unwrap();
        text.lines().map(|line| seen(&serde_json::from_str(line).unwrap())).collect()
    }
}

fn seen(line: &Value) -> Seen {
    let number = |value: &Value| value.as_u64().unwrap();
    if let Some(dropped) = line.get("dropped") {
        return Seen::Missed { events: number(&dropped["events"]), output: number(&dropped["output"]) };
    }
    let run = RunId::new(line["run"].as_str().unwrap()).unwrap();
    match line.get("event") {
        Some(event) => Seen::Event(run, number(&event["seq"])),
        None => Seen::Output(run, number(&line["output"]["number"])),
    }
}
