//! A sink that forwards events and output to a task or a thread of the host.

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

/// Forwards events and output through a bounded queue.
///
/// When the queue is full, new entries are dropped, and the receiver learns at that point how many are
/// missing; events can be read from the store, by their numbers.
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

/// The receiver of a [`ChannelSink`], in order. It ends when the sink is dropped.
///
/// Dropping it makes the sink discard everything.
pub struct Notices {
    shared: Arc<Mutex<Channel>>,
}

/// An item that the sink received.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// An event of a run.
    Event {
        /// The run that it belongs to.
        run: RunId,
        /// The event as it was stored.
        event: Event,
    },
    /// An output entry of a run.
    Output {
        /// The run that it belongs to.
        run: RunId,
        /// The entry as it was stored.
        entry: OutputEntry,
    },
    /// The receiver was too slow, and items are missing here.
    Missed {
        /// How many events of any run were dropped.
        events: u64,
        /// How many output entries of any run were dropped.
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
    /// Creates a sink and its receiver. At most `capacity` events and entries are queued.
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
