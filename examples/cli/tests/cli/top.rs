//! `top` in a terminal: real keys, real panes, sizes that change, and the screen as it was before.

use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::home::Home;

/// The time-out of all waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// A terminal with a shell in it.
struct Tmux<'a> {
    home: &'a Home,
    socket: TempDir,
}

impl<'a> Tmux<'a> {
    fn open(home: &'a Home) -> Self {
        let tmux = Self { home, socket: TempDir::new().unwrap() };
        tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", "/bin/sh"]);
        let program = env!("CARGO_BIN_EXE_workflow");
        tmux.types(&format!("alias workflow={program}; clear; echo before"));
        tmux.wait_for("before", |pane| pane.trim_end().lines().any(|line| line == "before"));
        tmux
    }

    fn output(&self, args: &[&str]) -> Output {
        let program = self.home.command(&[]);
        let environment = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut command = Command::new("tmux");
        command.current_dir(self.home.path("")).env_clear().envs(environment);
        command.env("LC_ALL", "C.UTF-8").env("PS1", "$ ").env("TERM", "xterm-256color");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.socket.path().join("socket")).args(args);
        command.output().unwrap_or_else(|error| {
            panic!("tmux cannot be started ({error}): install it, with `apt-get install tmux`")
        })
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Presses keys, by the names that tmux has for them.
    fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Types a line.
    fn types(&self, line: &str) {
        self.run(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    fn resize(&self, width: &str, height: &str) {
        self.run(&["resize-window", "-x", width, "-y", height]);
    }

    /// Waits until the screen shows something, and returns it.
    fn wait_for(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let pane = self.run(&["capture-pane", "-p"]);
            if shows(&pane) {
                return pane;
            }
            assert!(start.elapsed() < DEADLINE, "waited too long for {what}; the screen is:\n{pane}");
            sleep(Duration::from_millis(20));
        }
    }

    fn shows(&self, text: &str) -> String {
        self.wait_for(text, |pane| pane.contains(text))
    }

    /// Waits until the screen is as it was, and the shell echoes and executes what is typed.
    fn is_restored(&self) {
        self.wait_for("the shell", |pane| pane.contains("before") && !pane.contains("? help"));
        self.types("echo back-$((40+2))");
        let pane = self.shows("back-42");
        assert!(pane.contains("echo back-$((40+2))"), "the terminal echoes nothing:\n{pane}");
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        drop(self.output(&["kill-server"]));
    }
}

/// A run that waits for an approval.
fn waiting() -> Home {
    let home = Home::new();
    home.write(
        "ship.workflow.yml",
        "workflow: { name: Plan and ship, stages: [plan, ship] }\nplan: { provider: demo, prompt: Plan it }\n\
         ship: { provider: demo, prompt: Ship it, approval: Ship it to all? }\n",
    );
    assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first"]).code, Some(4));
    home
}

#[test]
fn a_person_answers_by_keys_and_gets_the_screen_back() {
    let home = waiting();
    let _worker = home.start(&["worker"]);
    let tmux = Tmux::open(&home);
    tmux.types("workflow top");
    let list =
        tmux.wait_for("the list", |pane| pane.contains("? waiting") && pane.contains("Ship it to all?"));
    assert!(list.contains("1 waiting for a person") && !list.contains("before"), "{list}");
    tmux.press(&["Enter"]);
    let page = tmux.shows("press a to answer");
    for expected in ["Plan and ship › first", "✓ completed  plan", "? waiting    ship", "Log, following"]
    {
        assert!(page.contains(expected), "{expected}:\n{page}");
    }
    tmux.press(&["a"]);
    let dialog = tmux.shows("▸ [Back] change nothing");
    assert!(dialog.contains("[Approve] start ship") && dialog.contains("[Reject] the run fails"), "{dialog}");
    // Enter does nothing before a button is chosen.
    tmux.press(&["Enter"]);
    tmux.wait_for("the page", |pane| !pane.contains("[Back]"));
    assert_eq!(home.show("first")["status"], "paused");
    tmux.press(&["a"]);
    tmux.shows("▸ [Back]");
    tmux.press(&["Up", "Up"]);
    tmux.shows("▸ [Approve]");
    tmux.press(&["Enter"]);
    let ended =
        tmux.wait_for("the end", |pane| pane.contains("✓ completed ·") && pane.contains("run completed"));
    assert!(ended.contains("✓ completed  ship") && ended.contains("was answered by ann"), "{ended}");
    assert_eq!(home.show("first")["status"], "completed");

    tmux.resize("40", "12");
    let small = tmux.wait_for("the small page", |pane| {
        pane.lines().count() <= 12 && pane.contains("✓ completed ·") && pane.contains("? help  q back")
    });
    assert!(small.contains("✓ completed  ship") && !small.contains("run completed"), "{small}");
    tmux.press(&["Tab"]);
    tmux.shows("run completed");
    tmux.resize("30", "8");
    tmux.shows("needs 40 columns");
    tmux.resize("80", "24");
    tmux.shows("? help  q back");
    tmux.press(&["Escape"]);
    tmux.shows("Enter open");
    tmux.press(&["q"]);
    tmux.is_restored();
}

#[test]
fn a_run_is_cancelled_only_after_a_confirmation_and_its_state_is_not_made_up() {
    let home = waiting();
    let tmux = Tmux::open(&home);
    tmux.types("NO_COLOR=1 workflow top");
    tmux.shows("? waiting");
    tmux.press(&["Enter"]);
    tmux.shows("press a to answer");
    // The answer is recorded, and no process continues the run.
    tmux.press(&["a"]);
    tmux.shows("No process drives the run");
    tmux.press(&["Up", "Up", "Enter"]);
    tmux.shows("no process drives it: `workflow resume first`");
    tmux.press(&["c"]);
    tmux.shows("it ends as cancelled");
    tmux.press(&["Up"]);
    tmux.shows("▸ [Cancel the run]");
    assert_eq!(home.show("first")["status"], "running");
    tmux.press(&["Enter"]);
    tmux.shows("⊘ cancelled ·");
    assert_eq!(home.show("first")["status"], "cancelled");
    let coloured = tmux.run(&["capture-pane", "-p", "-e"]);
    let has_colour =
        |pane: &str| pane.split("\u{1b}[").any(|part| part.starts_with('3') && !part.starts_with("39"));
    assert!(!has_colour(&coloured), "{coloured:?}");
    tmux.press(&["C-c"]);
    tmux.is_restored();
}

#[test]
fn a_signal_gives_the_screen_back() {
    let home = waiting();
    for (signal, code) in [(Signal::TERM, "code-143"), (Signal::INT, "code-0"), (Signal::HUP, "code-129")] {
        let tmux = Tmux::open(&home);
        let program = env!("CARGO_BIN_EXE_workflow");
        tmux.types(&format!("sh -c 'echo $$ >pid; exec {program} top'; echo code-$?"));
        tmux.shows("? waiting");
        let pid = Pid::from_raw(home.read("pid").trim().parse().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        tmux.wait_for(code, |pane| pane.lines().any(|line| line == code));
        tmux.is_restored();
    }
}

#[test]
fn ctrl_z_gives_the_screen_back_until_the_program_continues() {
    let home = waiting();
    let tmux = Tmux::open(&home);
    tmux.types("set -m; workflow top");
    tmux.shows("? waiting");
    tmux.press(&["C-z"]);
    tmux.is_restored();
    tmux.types("fg");
    tmux.shows("? waiting");
    tmux.press(&["q"]);
    tmux.is_restored();
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let home = waiting();
    for (args, reason) in [(&["top"][..], "needs a terminal"), (&["top", "--json"], "has no JSON")] {
        let refused = home.run(args);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for expected in [reason, "`workflow runs`", "`workflow watch RUN`"] {
            assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        }
        assert_eq!(refused.stdout, "");
    }
    let tmux = Tmux::open(&home);
    tmux.types("TERM=dumb workflow top; echo code-$?");
    let pane = tmux.shows("code-2");
    assert!(pane.contains("TERM is `dumb`"), "{pane}");
}
