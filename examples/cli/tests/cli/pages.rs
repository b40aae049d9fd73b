//! `completions` and `man`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::home::Home;

/// The names of all commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = Home::new().run(&["--help"]).stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    listed.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Gives a text to a program, and returns whether it succeeds and what it printed.
fn through(program: &str, args: &[&str], text: &str) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let printed = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Some((ended.status.success(), printed))
}

#[test]
fn completions_are_scripts_that_know_every_command() {
    let (home, commands) = (Home::new(), commands());
    assert!(commands.len() > 35, "{commands:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = home.run(&["completions", shell]);
        assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""), "{shell}");
        for command in &commands {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
    }
    let bash = home.run(&["completions", "bash"]).stdout;
    assert_eq!(through("bash", &["-n"], &bash), Some((true, String::new())));
    // It completes what begins with a part of a command.
    let asked = "\nCOMP_WORDS=(workflow wat); COMP_CWORD=1; _workflow workflow wat workflow; echo \"${COMPREPLY[@]}\"\n";
    assert_eq!(through("bash", &["--norc"], &(bash + asked)), Some((true, "watch\n".to_owned())));
    assert_eq!(home.run(&["completions", "csh"]).code, Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    let whole = home.run(&["man"]).stdout;
    for section in ["NAME", "SYNOPSIS", "OPTIONS", "SUBCOMMANDS", "DETAILS"] {
        assert!(whole.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    for name in commands().iter().filter(|name| *name != "help") {
        let page = home.run(&["man", name]);
        assert_eq!((page.code, page.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(page.stdout.contains(&format!(".TH workflow-{name} 1")), "{name}: {}", page.stdout);
        assert!(
            page.stdout.contains(&format!("workflow\\-{}", name.replace('-', "\\-"))),
            "{name}: {}",
            page.stdout
        );
        for line in page.stdout.lines().filter(|line| line.starts_with('.')) {
            let macros = [".TH", ".SH", ".TP", ".br", ".RS", ".RE", ".ie", ".el", ".nf", ".fi", ".PP", ".IP"];
            assert!(macros.iter().any(|known| line.starts_with(known)), "{name}: {line}");
        }
    }
    // The formatter, where there is one, has nothing to complain about.
    for text in [whole, home.run(&["man", "run"]).stdout] {
        if let Some(formatted) = through("groff", &["-man", "-Tutf8", "-Kutf8", "-ww", "-z"], &text) {
            assert_eq!(formatted, (true, String::new()));
        }
    }
    let none = home.run(&["man", "rnu"]);
    assert_eq!((none.code, none.stderr.contains("there is no command `rnu`")), (Some(2), true));
}
