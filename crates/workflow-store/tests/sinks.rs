//! The event sinks.

#![cfg(test)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex, mpsc};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::sink::EventSink;
use workflow_store::{ChannelSink, JsonlSink, Notice, TracingSink};

fn run() -> RunId {
    RunId::new("r1").unwrap()
}

fn event(seq: u64) -> Event {
    Event { seq, at: Timestamp::UNIX_EPOCH, body: EventBody::RunStarted }
}

fn entry(number: u64) -> OutputEntry {
    OutputEntry {
        number,
        after_event: 1,
        at: Timestamp::UNIX_EPOCH,
        path: "1/plan[0]/run".parse().unwrap(),
        attempt: 1,
        kind: OutputKind::Stdout,
        text: "\u{1b}[31mred".to_owned(),
    }
}

/// `e3` for an event, `o3` for an output entry, `-2e1o` for missed ones.
fn short(notice: Option<Notice>) -> String {
    match notice {
        Some(Notice::Event { event, .. }) => format!("e{}", event.seq),
        Some(Notice::Output { entry, .. }) => format!("o{}", entry.number),
        Some(Notice::Missed { events, output }) => format!("-{events}e{output}o"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_channel_hands_on_in_order_and_ends_with_its_sink() {
    let (sink, mut notices) = ChannelSink::new(10);
    sink.events(&run(), &[event(1), event(2)]);
    sink.output(&run(), &[entry(1)]);
    assert_eq!(block_on(notices.next()), Some(Notice::Event { run: run(), event: event(1) }));
    assert_eq!(short(block_on(notices.next())), "e2");
    assert_eq!(block_on(notices.next()), Some(Notice::Output { run: run(), entry: entry(1) }));
    assert!(notices.next().now_or_never().is_none());
    sink.events(&run(), &[event(3)]);
    drop(sink);
    assert_eq!(short(block_on(notices.next())), "e3");
    assert_eq!(block_on(notices.next()), None);
}

#[test]
fn a_slow_receiver_is_told_what_it_missed_where_it_is_missing() {
    let (sink, mut notices) = ChannelSink::new(2);
    sink.events(&run(), &[event(1), event(2), event(3)]);
    sink.output(&run(), &[entry(1), entry(2)]);
    let mut next = || short(notices.next().now_or_never().flatten());
    assert_eq!(next(), "e1");
    sink.events(&run(), &[event(4), event(5)]);
    let rest: Vec<_> = std::iter::repeat_with(next).take_while(|notice| notice != "None").collect();
    assert_eq!(rest, ["e2", "-1e2o", "e4", "-1e0o"]);
}

#[test]
fn a_waiting_receiver_is_woken() {
    let (sink, mut notices) = ChannelSink::new(1);
    let (waits, waiting) = mpsc::channel();
    let receiver = std::thread::spawn(move || {
        block_on(async {
            assert_eq!(notices.next().now_or_never(), None);
            waits.send(()).unwrap();
            let first = notices.next().await;
            (short(first), notices.next().await)
        })
    });
    waiting.recv().unwrap();
    sink.events(&run(), &[event(1)]);
    drop(sink);
    assert_eq!(receiver.join().unwrap(), ("e1".to_owned(), None));
}

#[test]
fn a_channel_without_a_receiver_keeps_nothing() {
    let (sink, notices) = ChannelSink::new(10);
    sink.events(&run(), &[event(1)]);
    drop(notices);
    sink.events(&run(), &[event(2)]);
    assert_eq!(format!("{sink:?}"), "ChannelSink { waiting: 0, .. }");
}

/// Reports that a write was reached, and waits for the signal to continue.
type Hold = (mpsc::Sender<()>, mpsc::Receiver<()>);

/// A writer that a test can inspect, that reports its first write, and continues only when it is told to.
#[derive(Clone, Default)]
struct Shared {
    text: Arc<Mutex<Vec<u8>>>,
    hold: Arc<Mutex<Option<Hold>>>,
    room: Option<usize>,
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((reached, go_on)) = self.hold.lock().unwrap().take() {
            reached.send(()).unwrap();
            go_on.recv().unwrap();
        }
        let mut text = self.text.lock().unwrap();
        if self.room.is_some_and(|room| text.len() + bytes.len() > room) {
            return Err(io::Error::other("no room"));
        }
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_written_with_the_run_they_belong_to() {
    let writer = Shared::default();
    let sink = JsonlSink::new(writer.clone(), 100).unwrap();
    sink.events(&run(), &[event(1), event(2)]);
    sink.output(&run(), &[entry(1)]);
    drop(sink);
    insta::assert_snapshot!(writer.text(), @r#"
    {"run":"r1","event":{"seq":1,"at":"1970-01-01T00:00:00Z","v":1,"type":"run_started"}}
    {"run":"r1","event":{"seq":2,"at":"1970-01-01T00:00:00Z","v":1,"type":"run_started"}}
    {"run":"r1","output":{"number":1,"after_event":1,"at":"1970-01-01T00:00:00Z","path":"1/plan[0]/run","attempt":1,"kind":"stdout","text":"\u001b[31mred"}}
    "#);
}

#[test]
fn lines_that_are_dropped_are_counted_where_they_are_missing() {
    let writer = Shared::default();
    let (reached, at_write) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    *writer.hold.lock().unwrap() = Some((reached, wait));
    let sink = JsonlSink::new(writer.clone(), 2).unwrap();
    sink.events(&run(), &[event(1)]);
    at_write.recv().unwrap();
    sink.events(&run(), &[event(2), event(3)]);
    sink.events(&run(), &[event(4)]);
    sink.output(&run(), &[entry(1), entry(2)]);
    assert_eq!(sink.lost(), 3);
    go_on.send(()).unwrap();
    while !writer.text().contains("\"seq\":3") {
        std::thread::yield_now();
    }
    sink.events(&run(), &[event(5)]);
    sink.events(&run(), &[event(6), event(7), event(8)]);
    drop(sink);
    let lines: Vec<_> = writer
        .text()
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.get("dropped").map_or(line["event"]["seq"].to_string(), ToString::to_string)
        })
        .collect();
    assert_eq!(lines, ["1", "2", "3", "{\"events\":1,\"output\":2}", "5", "{\"events\":3,\"output\":0}"]);
}

#[test]
fn lines_that_could_not_be_written_are_counted() {
    let writer = Shared { room: Some(100), ..Shared::default() };
    let sink = JsonlSink::new(writer.clone(), 1_000).unwrap();
    sink.events(&run(), &[event(1)]);
    while !writer.text().ends_with('\n') {
        std::thread::yield_now();
    }
    // There is no room for these.
    (2..=10).for_each(|seq| sink.events(&run(), &[event(seq)]));
    while sink.lost() < 9 {
        std::thread::yield_now();
    }
    assert_eq!(writer.text().lines().count(), 1);
    assert_eq!(sink.lost(), 9);
}

/// A file on a disk with limited room: a write stops where it ends.
#[derive(Clone, Default)]
struct Disk {
    text: Arc<Mutex<Vec<u8>>>,
    room: Arc<Mutex<usize>>,
}

impl Disk {
    fn make_room(&self, room: usize) {
        *self.room.lock().unwrap() = room;
    }

    /// Each line: the number of an event or entry, what is missing, or `torn`.
    fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap();
        assert!(text.ends_with(b"\n"));
        let lines = text[..text.len() - 1].split(|byte| *byte == b'\n');
        let read = lines.map(|line| {
            let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) else {
                return "torn".to_owned();
            };
            match (line.get("dropped"), line.get("event")) {
                (Some(gap), _) => gap.to_string(),
                (None, Some(event)) => format!("e{}", event["seq"]),
                (None, None) => format!("o{}", line["output"]["number"]),
            }
        });
        read.collect()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        if *room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = bytes.len().min(*room);
        *room -= length;
        self.text.lock().unwrap().extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_full_disk_lines_are_written_again_and_what_is_missing_is_told() {
    // For any amount of room: the incomplete line is ended, and every missing item is reported.
    for room in 0..700 {
        let disk = Disk::default();
        disk.make_room(room);
        let sink = JsonlSink::new(disk.clone(), 1_000).unwrap();
        sink.events(&run(), &[event(1), event(2)]);
        sink.output(&run(), &[entry(1)]);
        sink.events(&run(), &[event(3)]);
        let lines = settled(&sink, &disk);
        disk.make_room(usize::MAX);
        sink.events(&run(), &[event(4), event(5)]);
        let lost = sink.lost();
        drop(sink);

        let all = disk.lines();
        let whole = ["e1", "e2", "o1", "e3"];
        assert_eq!(all[..lines], whole[..lines], "{room}");
        let missing = &whole[lines..];
        let count = |kind: char| missing.iter().filter(|line| line.starts_with(kind)).count();
        let gap = format!("{{\"events\":{},\"output\":{}}}", count('e'), count('o'));
        let rest: Vec<_> = all[lines..].iter().map(String::as_str).filter(|line| *line != "torn").collect();
        if missing.is_empty() {
            assert_eq!(rest, ["e4", "e5"], "{room}: {all:?}");
        } else {
            assert_eq!(rest, [&*gap, "e4", "e5"], "{room}: {all:?}");
        }
        assert!(all.iter().filter(|line| *line == "torn").count() <= 1, "{room}: {all:?}");
        assert_eq!(lost, missing.len() as u64, "{room}");
    }
}

/// Waits until each of four lines was written or dropped, and returns how many were written.
fn settled(sink: &JsonlSink, disk: &Disk) -> usize {
    loop {
        let lost = usize::try_from(sink.lost()).unwrap();
        let text = disk.text.lock().unwrap().clone();
        let lines = text.split(|byte| *byte == b'\n');
        let written = lines.filter(|line| serde_json::from_slice::<serde_json::Value>(line).is_ok()).count();
        if written + lost == 4 {
            return written;
        }
        std::thread::yield_now();
    }
}

#[test]
fn events_are_logged_without_control_characters() {
    use std::fmt::Write as _;
    use tracing::field::{Field, Visit};
    use tracing::span;

    struct Collect(Mutex<Vec<String>>);
    struct Fields(String);
    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            write!(self.0, " {field}={value:?}").unwrap();
        }
    }
    impl tracing::Subscriber for Collect {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut fields = Fields(event.metadata().level().to_string());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    let collect = Arc::new(Collect(Mutex::default()));
    let error = workflow_core::failure::Failure::new(
        workflow_core::failure::FailureClass::Permanent,
        "\u{1b}[2Jno such file",
    );
    tracing::subscriber::with_default(Arc::clone(&collect), || {
        TracingSink.events(&run(), &[event(1)]);
        let path = "1/plan[0]/run".parse().unwrap();
        let failed = EventBody::AttemptFailed {
            path,
            attempt: 2,
            error: Arc::new(error.clone()),
            retry_at: Some(Box::new(Timestamp::UNIX_EPOCH)),
            parked: false,
            repair: false,
            continues: false,
            usage: None,
            ran_until: None,
            output: None,
        };
        TracingSink.events(&run(), &[Event { body: failed, ..event(2) }]);
        TracingSink
            .events(&run(), &[Event { body: EventBody::RunFailed { error: error.into() }, ..event(3) }]);
        TracingSink.output(&run(), &[entry(1)]);
    });
    insta::assert_snapshot!(collect.0.lock().unwrap().join("\n"), @r#"
    INFO message=run_started run=r1 seq=1
    WARN message=attempt_failed run=r1 seq=2 path=1/plan[0]/run attempt=2 error="\u{1b}[2Jno such file" retry_at=1970-01-01T00:00:00Z
    ERROR message=run_failed run=r1 seq=3 error="\u{1b}[2Jno such file"
    TRACE message=output run=r1 number=1 path=1/plan[0]/run attempt=1 kind=Stdout text="\u{1b}[31mred"
    "#);
}
