//! Untrusted text that would control a terminal, or be invisible there.

use super::home::{Ended, Home};
use super::terminal::on_terminal;

/// Sets the title, clears the screen, reverses the direction, has no width.
const HOSTILE: &str = "\u{1b}]0;t\u{7}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{200d}\u{feff}\u{ad}\u{e0041}";
const HOSTILE_YAML: &str = r"\e]0;t\a\x9b2J\u202e\u2066\u200b\u200d\ufeff\xad\U000e0041";

fn assert_harmless(what: &str, text: &str) {
    let is_hostile = |c: char| c != '\n' && (c.is_control() || HOSTILE.contains(c) && !c.is_ascii());
    let found = text.chars().find(|c| is_hostile(*c));
    assert_eq!(found, None, "{what}: {text:?}");
}

/// A home with a workflow of a hostile name, in a file of such a name, whose command prints the same and
/// fails.
fn home() -> (Home, String) {
    let home = Home::new();
    let file = format!("a{HOSTILE}b.workflow.yml");
    home.write(
        &file,
        &format!(
            "workflow: {{ id: w, name: \"a{HOSTILE_YAML}b\", stages: [one] }}\none:\n  prompt: \"a{HOSTILE_YAML}b\"\n  \
             with: {{ command: [sh, -c, 'x=$(cat); echo \"$x\"; echo \"$x\" >&2; exit 7'] }}\n"
        ),
    );
    (home, file)
}

#[test]
fn nothing_that_is_printed_acts_on_the_terminal() {
    let (home, file) = home();
    let mut all = String::new();
    for args in [
        &["validate", &file][..],
        &["run", &file, "--run-id", "r1"],
        &["run", &file, "--run-id", "r2", "--json"],
        &["logs", "r1"],
        &["logs", "r1", "--json"],
        &["show", "r1"],
        &["show", "r1", "--json"],
        &["events", "r1"],
        &["events", "r1", "--json"],
        &["runs"],
        &["runs", "--json"],
        &["graph", &file],
        &["graph", &file, "--format", "dot"],
        &["graph", &file, "--format", "svg"],
        &["graph", &file, "--json"],
        &["graph", "--run", "r1"],
        &["report", "r1"],
        &["report", "r1", "--format", "html"],
        &["report", "r1", "--json"],
        &["compare", "r1", "r2"],
        &["compare", "r1", "r2", "--json"],
        &["watch", "r1"],
        &["watch", "r1", "--json"],
        &["run", &file, "--dry-run", "--var", &format!("x={HOSTILE}")],
        &["run", &file, "--dry-run", "--json"],
        &["edit", "nothing", "--set", &format!("{HOSTILE}=x")],
        &["import", &file],
        &["show", HOSTILE, "--json"],
        &["man", HOSTILE],
        &["show", HOSTILE],
        &["run", &format!("no{HOSTILE}")],
        &["runs", "--store", &format!("sqlite:{HOSTILE}/x")],
        &["runs", "--store", &format!("file:{file}")],
        &["runs", "--status", HOSTILE],
        &[HOSTILE],
    ] {
        let mut command = home.command(args);
        let ended = Ended::from(command.env("WORKFLOW_LOG", "trace").output().unwrap());
        assert_harmless(&format!("{args:?}, standard output"), &ended.stdout);
        assert_harmless(&format!("{args:?}, standard error"), &ended.stderr);
        all.push_str(&ended.stdout);
    }
    // It is displayed, in a visible form.
    assert!(all.contains("one[0] | a␛]0;t␇�2J") && all.contains(r"a\u001b]0;t\u0007\u009b2J\u202e"), "{all}");
}

#[test]
fn a_log_line_is_one_line_whatever_it_holds() {
    let home = Home::new();
    home.write("w.workflow.yml", "workflow: { name: Work, stages: [one] }\none: { env: { A: '${secrets.A}' }, with: { command: ['true'] } }\n");
    let folder = format!("x\n{HOSTILE}ERROR everything is lost");
    home.write(&format!("{folder}/A/file"), "");
    let mut command = home.command(&["run", "w.workflow.yml"]);
    let ended = Ended::from(command.env("WORKFLOW_SECRETS_DIR", &folder).output().unwrap());
    assert_harmless("standard error", &ended.stderr);
    let warned = ended.stderr.lines().find(|line| line.contains("a secret cannot be read")).unwrap();
    assert!(warned.contains("WARN") && warned.contains("ERROR everything is lost"), "{ended:?}");
}

#[test]
fn the_live_view_shows_what_would_not_be_seen() {
    let (home, file) = home();
    let (written, code) = on_terminal(&home, &["run", &file, "--run-id", "r1"]);
    assert_eq!(code, Some(1));
    // Except for the program's own escape sequences.
    assert!(!written.contains("\u{1b}]") && !written.contains(['\u{7}', '\u{9b}']), "{written:?}");
    let hidden: String = HOSTILE.chars().filter(|c| !c.is_ascii()).collect();
    assert!(!written.contains(|c| hidden.contains(c)), "{written:?}");
    assert!(written.contains("a␛]0;t␇�2J"), "{written:?}");
}
