//! A run that kills every worker that acquires it, before anything is recorded.

use rustix::process::Signal;

use super::home::{Ended, Home, Started, lives, until};

/// Its process outlives its worker, and kills every process that tells it to stop: a worker does that before
/// it records anything of the run. It ends with the folder of the test.
const DEADLY: &str = "exec >/dev/null 2>&1; trap 'read -r worker <worker && kill -KILL $worker' TERM; echo $$ >deadly; touch begun; \
                      while test -e begun; do sleep 0.02; done";

/// A worker that prints its process id before it begins.
fn worker(home: &Home) -> Started {
    let program = home.command(&["worker"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "echo $$ >worker; exec \"$0\" \"$@\""]).arg(program.get_program());
    shell.args(program.get_args()).current_dir(home.path("")).env_clear();
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Started::of(&mut shell)
}

fn leave(home: &Home, file: &str, run: &str) {
    let left = home.run(&["run", file, "--run-id", run, "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
}

/// Waits until a worker was killed.
fn until_killed(worker: Started) -> Ended {
    let ended = worker.wait();
    assert_eq!(ended.code, None, "it ended by itself: {ended:?}");
    ended
}

#[test]
fn a_run_that_kills_every_worker_is_left_to_a_person() {
    let home = Home::with_stages(&[("one", DEADLY)]);
    home.write("good.workflow.yml", "workflow: { stages: [one] }\none: { with: { command: ['true'] } }\n");
    let first = worker(&home);
    leave(&home, "stages.workflow.yml", "deadly");
    until("the call", || home.path("begun").exists());
    first.signal(Signal::KILL);
    until_killed(first);
    // Only the shell: a stop signal would reach its children too.
    for _ in 0..4 {
        until_killed(worker(&home));
    }
    leave(&home, "good.workflow.yml", "good");
    let last = worker(&home);
    until("the other run", || home.show("good")["status"] == "completed");
    until("the run", || home.show("deadly")["status"] == "paused");
    last.signal(Signal::TERM);
    let ended = last.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("ended 5 times in a row"), "{ended:?}");
    let shown = home.run(&["show", "deadly"]).stdout;
    assert!(shown.contains("to resume it after crashes"), "{shown}");
    assert_eq!(home.run(&["recover"]).stderr, "no runs to recover\n");
    assert!(lives(&home, "deadly"), "it was not touched again");
    // A person who knows the cause fixes it.
    home.write("worker", "");
    let cancelled = home.run(&["cancel", "deadly"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert!(!lives(&home, "deadly"));
    assert_eq!(home.show("deadly")["status"], "cancelled");
}
