//! A sink that hands on what it gets to a task or a thread of the host.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;

use crate::sync::lock;

/// Hands on events and output through a bounded queue.
///
/// When the queue is full, what comes is left out, and the receiver is told how much at the place
/// where it is missing; events can be read again from the store, by their numbers.
///
/// ```
/// use futures::StreamExt;
/// use workflow_store::{ChannelSink, Notice};
///
/// # async fn show() {
/// let (sink, mut notices) = ChannelSink::new(1_000);
/// // The engine gets the sink.
/// while let Some(notice) = notices.next().await {
///     match notice {
///         Notice::Event { run, event } => println!("{run}: {}", event.body.kind()),
///         Notice::Missed { events, .. } => println!("missed {events} events"),
///         _ => {}
///     }
/// }
/// # drop(sink);
/// # }
/// ```
pub struct ChannelSink {
    shared: Arc<Mutex<Channel>>,
}

/// What a [`ChannelSink`] hands on, in order. It ends when the sink is dropped.
///
/// Dropping it makes the sink let go of everything.
pub struct Notices {
    shared: Arc<Mutex<Channel>>,
}

/// Something that a sink was given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// An event of a run.
    Event {
        /// The run.
        run: RunId,
        /// The event.
        event: Event,
    },
    /// An output entry of a run.
    Output {
        /// The run.
        run: RunId,
        /// The entry.
        entry: OutputEntry,
    },
    /// The receiver was too slow here.
    Missed {
        /// How many events of any run were left out.
        events: u64,
        /// How many output entries of any run were left out.
        output: u64,
    },
}

struct Channel {
    queue: VecDeque<Notice>,
    capacity: usize,
    missed_events: u64,
    missed_output: u64,
    waker: Option<Waker>,
    sink_gone: bool,
    receiver_gone: bool,
}

impl ChannelSink {
    /// A sink, and what receives from it. At most `capacity` events and entries wait to be received.
    pub fn new(capacity: usize) -> (Self, Notices) {
        let shared = Arc::new(Mutex::new(Channel {
            queue: VecDeque::new(),
            capacity: capacity.max(1),
            missed_events: 0,
            missed_output: 0,
            waker: None,
            sink_gone: false,
            receiver_gone: false,
        }));
        (Self { shared: Arc::clone(&shared) }, Notices { shared })
    }

    fn push(&self, notices: impl Iterator<Item = Notice>) {
        let waker = {
            let mut channel = lock(&self.shared);
            if channel.receiver_gone {
                return;
            }
            notices.for_each(|notice| channel.push(notice));
            channel.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Channel {
    fn push(&mut self, notice: Notice) {
        if self.queue.len() < self.capacity {
            let missed = self.take_missed();
            self.queue.extend(missed);
            self.queue.push_back(notice);
        } else if matches!(notice, Notice::Output { .. }) {
            self.missed_output += 1;
        } else {
            self.missed_events += 1;
        }
    }

    fn take_missed(&mut self) -> Option<Notice> {
        let events = std::mem::take(&mut self.missed_events);
        let output = std::mem::take(&mut self.missed_output);
        (events + output > 0).then_some(Notice::Missed { events, output })
    }
}

impl EventSink for ChannelSink {
    fn events(&self, run: &RunId, events: &[Event]) {
        self.push(events.iter().map(|event| Notice::Event { run: run.clone(), event: event.clone() }));
    }

    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        self.push(entries.iter().map(|entry| Notice::Output { run: run.clone(), entry: entry.clone() }));
    }
}

impl Stream for Notices {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        let mut channel = lock(&self.shared);
        let next = channel.queue.pop_front().or_else(|| channel.take_missed());
        if next.is_some() || channel.sink_gone {
            return Poll::Ready(next);
        }
        channel.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ChannelSink {
    fn drop(&mut self) {
        let waker = {
            let mut channel = lock(&self.shared);
            channel.sink_gone = true;
            channel.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        let mut channel = lock(&self.shared);
        channel.receiver_gone = true;
        let queue = std::mem::take(&mut channel.queue);
        drop(channel);
        drop(queue);
    }
}

impl fmt::Debug for ChannelSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSink")
            .field("waiting", &lock(&self.shared).queue.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("waiting", &lock(&self.shared).queue.len()).finish_non_exhaustive()
    }
}
