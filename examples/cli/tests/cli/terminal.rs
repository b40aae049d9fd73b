//! The live view, on a pseudo-terminal.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::home::Home;

/// A terminal: the screen side, and the side that the program writes to.
fn terminal() -> (File, OwnedFd) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    tcsetwinsize(&screen, Winsize { ws_row: 30, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let line = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (File::from(screen), line)
}

/// Runs the program on a terminal, and returns its output there and its exit code.
pub(crate) fn on_terminal(home: &Home, args: &[&str]) -> (String, Option<i32>) {
    let (mut screen, line) = terminal();
    let mut command = home.command(args);
    command.env("TERM", "xterm-256color").stdout(line.try_clone().unwrap()).stderr(line);
    let mut child = command.spawn().unwrap();
    // The program is the last process that can write.
    drop(command);
    let mut written = Vec::new();
    let mut buffer = [0; 4096];
    // The system reports an error, and not the end, when the program has closed it.
    while let Ok(read @ 1..) = screen.read(&mut buffer) {
        written.extend_from_slice(&buffer[..read]);
    }
    (String::from_utf8(written).unwrap(), child.wait().unwrap().code())
}

#[test]
fn a_run_is_live_on_a_terminal() {
    let home = Home::new();
    home.write(
        "live.workflow.yml",
        r#"
workflow: { name: Watch me, stages: [shout, lanes, last] }
shout:
  on_failure: retry
  retry_backoff: 0
  with: { command: [sh, -c, 'printf "\033]0;title\007last words\n"; echo x >>trace; test $(grep -c x trace) -gt 1'] }
lanes:
  mode: parallel
  providers: [{ provider: command }, { provider: command }]
  with: { command: [sh, -c, 'echo working; sleep 0.2'] }
last:
  with: { command: ["true"] }
"#,
    );
    let (written, code) = on_terminal(&home, &["run", "live.workflow.yml", "--run-id", "first"]);
    assert_eq!(code, Some(0), "{written}");
    for expected in [
        "Watch me · run first",
        "shout",
        "lanes",
        "last",
        "completed",
        "attempt 2",
        "0 of 2 ended",
        "[1]  command",
    ] {
        assert!(written.contains(expected), "`{expected}` is missing in {written:?}");
    }
    // Failures stay on the screen.
    assert!(written.contains("shout[0] failed after"), "{written:?}");
    // Only the view writes escape sequences, never a provider.
    assert!(!written.contains("\u{1b}]") && !written.contains('\u{7}'), "{written:?}");
    assert!(written.contains("␛]0;title␇last words"), "{written:?}");
}

#[test]
fn a_resumed_run_shows_what_was_before() {
    let home = Home::with_stages(&[("one", "echo first words"), ("two", "test -e go"), ("three", "true")]);
    // A run that has ended is not continued, so it is killed in the middle.
    let (written, code) = on_terminal(&home, &["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(code, Some(1));
    assert!(written.contains("run failed in two after"), "{written:?}");
    let (written, code) = on_terminal(&home, &["resume", "first"]);
    assert_eq!(code, Some(1));
    assert!(written.contains("Some stages · run first · failed"), "{written:?}");
}

#[test]
fn what_a_failed_call_printed_is_on_the_screen() {
    let home =
        Home::with_stages(&[("one", "echo fine"), ("two", "echo starting; echo the reason >&2; exit 7")]);
    let (written, code) = on_terminal(&home, &["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(code, Some(1));
    let why = "`sh` exited with code 7 (transient): the reason";
    assert!(written.contains("run failed in two after"), "{written:?}");
    assert!(written.matches(why).count() >= 2, "once above the view, and in it: {written:?}");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let home = Home::with_stages(&[("one", "echo said")]);
    let (mut screen, line) = terminal();
    let mut command = home.command(&["run", "stages.workflow.yml"]);
    let mut child = command.env("TERM", "dumb").stdout(line).spawn().unwrap();
    drop(command);
    assert!(child.wait().unwrap().success());
    let mut buffer = [0; 4096];
    let read = screen.read(&mut buffer).unwrap();
    let written = str::from_utf8(&buffer[..read]).unwrap();
    assert!(written.contains("one[0] | said") && !written.contains('\u{1b}'), "{written:?}");
}
