//! Executes documents, from top to bottom, in an empty folder: every file that one shows is written, and
//! every shell line is run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::home::{Ended, Home};
use super::postgres::Database;

/// The placeholder for the reader's own database.
const DATABASE: &str = "postgres://USER:PASSWORD@HOST/DATABASE";

/// The fenced blocks, and the comments that begin with `<!-- sh`: the language, the first line's number, and the text.
pub(crate) fn blocks(text: &str) -> Vec<(&str, usize, String)> {
    let mut found: Vec<(&str, usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let closes = open && (line.starts_with("```") || line == "-->");
        match line.strip_prefix("```").or_else(|| line.strip_prefix("<!-- ").filter(|word| *word == "sh")) {
            _ if closes => open = false,
            Some(language) => {
                open = true;
                found.push((language, number + 1, String::new()));
            }
            None if open => {
                let (_, _, block) = found.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    found
}

/// The exit code that a line promises.
fn exit_code(line: &str) -> &str {
    let code = line.split_once("# exit code ").map_or("0", |(_, code)| code);
    &code[..code.find(|c: char| !c.is_ascii_digit()).unwrap_or(code.len())]
}

/// A shell script with all steps of a document, which stops at the first difference.
fn session(document: &str, database: &str) -> String {
    let mut script = String::new();
    for (language, number, text) in blocks(document) {
        match language {
            "yaml" if text.starts_with("# ") => {
                let file = text.lines().next().unwrap().trim_start_matches("# ");
                writeln!(script, "mkdir -p \"$(dirname {file})\"; cat >{file} <<'END'\n{text}END").unwrap();
            }
            "sh" => {
                for (number, line) in
                    (number..).zip(text.lines()).filter(|(_, line)| !line.starts_with("cargo "))
                {
                    let line = line.replace(DATABASE, database);
                    let expected = exit_code(&line);
                    writeln!(script, "{line}\ncode=$?; test $code -eq {expected} || fail {number} $code")
                        .unwrap();
                }
            }
            "text" if text.starts_with("$ ") => {
                let (command, output) = text.split_once('\n').unwrap();
                let command = command.strip_prefix("$ ").unwrap();
                writeln!(
                    script,
                    "test \"$({command})\" = \"$(cat <<'END'\n{output}END\n)\" || fail {number} shown"
                )
                .unwrap();
            }
            _ => {}
        }
    }
    script
}

/// Runs a document, and fails if it does not do what it says. Returns the script.
#[track_caller]
pub(crate) fn run(name: &str, document: &str) -> String {
    let database = document.contains(DATABASE).then(Database::new);
    let home = Home::new();
    let script = session(document, &database.as_ref().map(Database::url).unwrap_or_default());
    let begin = format!("fail() {{ echo \"{name}:$1: $2\" >&2; kill $(jobs -p) 2>/dev/null; exit 1; }}\n");
    let program = home.command(&[]);
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{begin}{script}")]).current_dir(home.path("")).env_clear();
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let programs = Path::new(program.get_program()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    shell.env("PATH", path);
    for who in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{who}_NAME"), "Reader").env(format!("GIT_{who}_EMAIL"), "reader@example.com");
    }
    let ended = Ended::from(shell.output().unwrap());
    assert_eq!(ended.code, Some(0), "{name}: {ended:#?}");
    script
}
