//! Ctrl-Z: the program is suspended with its calls, and resumed with them.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::home::{Home, Started, lives, until};

const RUN: [&str; 4] = ["run", "stages.workflow.yml", "--run-id", "first"];

/// Waits for a line without starting a process: a shell that is suspended while it starts one is not in the
/// state `T` before the child has executed its program, which a suspended child does not do.
const WAITS: &str = "mkfifo gate; echo $$ >pid; touch begun; read _ <gate";

/// The state of a process, as reported by the system: `T` if it is suspended.
fn state(pid: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").map_or("", |(_, fields)| &fields[..1]).to_owned()
}

fn suspend(home: &Home, run: &Started) {
    run.signal(Signal::TSTP);
    until("the call is stopped", || state(&home.read("pid")) == "T");
    until("the program is stopped", || state(&run.id().to_string()) == "T");
}

/// Opens the gate before the call does: opening it for both directions does not wait for the other side.
fn open_gate(home: &Home) -> File {
    let mut gate = File::options().read(true).write(true).open(home.path("gate")).unwrap();
    gate.write_all(b"\n").unwrap();
    gate
}

#[test]
fn a_stop_from_the_terminal_stops_the_calls_and_continues_them() {
    let home = Home::with_stages(&[("one", WAITS), ("two", "touch two")]);
    let run = home.start_until(&RUN, "begun");
    for _ in 0..3 {
        suspend(&home, &run);
        run.signal(Signal::CONT);
        until("the call continues", || state(&home.read("pid")) != "T");
        until("the program continues", || state(&run.id().to_string()) != "T");
    }
    let _gate = open_gate(&home);
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(home.path("two").exists());
}

#[test]
fn time_limits_do_not_pass_while_the_program_is_stopped() {
    const LIMIT: Duration = Duration::from_secs(3);
    for limit in ["timeout: 3s", "idle_timeout: 3s"] {
        loop {
            let home = Home::with_stages(&[("one", WAITS)]);
            let text = home.read("stages.workflow.yml");
            home.write("stages.workflow.yml", &text.replace("one: {", &format!("one: {{ {limit},")));
            let began = Instant::now();
            let run = home.start_until(&RUN, "begun");
            suspend(&home, &run);
            if began.elapsed() > LIMIT / 2 {
                // The machine is busy: the remaining time might not be enough for the rest.
                continue;
            }
            let _gate = open_gate(&home);
            sleep(LIMIT);
            run.signal(Signal::CONT);
            let ended = run.wait();
            assert_eq!(ended.code, Some(0), "{limit}: {ended:?}");
            break;
        }
    }
}

#[test]
fn a_program_that_is_killed_while_it_is_stopped_leaves_no_stopped_call() {
    let home = Home::with_stages(&[("one", WAITS)]);
    let run = home.start_until(&RUN, "begun");
    suspend(&home, &run);
    run.signal(Signal::KILL);
    run.wait();
    until("the call is gone", || !lives(&home, "pid"));
}

#[test]
fn a_request_to_end_that_comes_with_the_continuation_is_obeyed() {
    let home = Home::with_stages(&[("one", WAITS)]);
    let run = home.start_until(&RUN, "begun");
    suspend(&home, &run);
    // As `kill %1` does it in a shell.
    run.signal(Signal::TERM);
    run.signal(Signal::CONT);
    let ended = run.wait();
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(!lives(&home, "pid"));
}
