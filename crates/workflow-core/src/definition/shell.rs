//! Keeps values out of the text that a shell interprets: `sh -c "echo ${vars.x}"` would run
//! whatever the variable holds.

use serde_json::Value;

use super::path::Path;
use super::report::Report;
use crate::expr::{Name, Template};

const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "ash",
    "rbash",
    "fish",
    "csh",
    "tcsh",
    "pwsh",
    "powershell",
];

/// Programs that start the program that their arguments name.
const STARTERS: &[&str] = &[
    "env", "busybox", "command", "doas", "exec", "ionice", "nice", "nohup", "setsid", "stdbuf", "sudo",
    "time", "timeout", "xargs",
];

/// Long options of a shell that take the next argument.
const WITH_ARGUMENT: &[&str] = &["--rcfile", "--init-file", "--profile", "--features"];

/// Reports each argument of `command` that a shell would interpret and that has a `${…}` in it.
pub(super) fn check(command: &[Value], path: &Path<'_>, report: &mut Report<'_>) {
    let words: Vec<&str> = command.iter().map(|word| word.as_str().unwrap_or_default()).collect();
    for n in interpreted(&words) {
        if let Some(offset) = expression(words[n]) {
            let message = "a value in a shell's command text would be run as code: pass it as an argument after \
                           the text (`[sh, -c, 'echo \"$1\"', sh, \"${vars.x}\"]`) or through `env`";
            report.error_in_text("shell-interpolation", &path.index(n), offset, message);
        }
    }
}

/// Where the first expression of a template is.
fn expression(text: &str) -> Option<usize> {
    Template::parse(text).ok()?.names().next().map(Name::offset)
}

/// The places of the words that a shell, or `env -S`, takes apart.
fn interpreted(words: &[&str]) -> Vec<usize> {
    let Some(first) = words.first().map(|word| program(word)) else { return Vec::new() };
    if SHELLS.contains(&first) {
        return command_text(words, 0);
    }
    let mut found = Vec::new();
    if STARTERS.contains(&first) {
        if first == "env" {
            found.extend(split_text(words));
        }
        if let Some(shell) = words.iter().position(|word| SHELLS.contains(&program(word))) {
            found.extend(command_text(words, shell));
        }
    }
    found
}

fn program(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// The argument of `-c`, and options that are put together from values, of the shell at `shell`.
fn command_text(words: &[&str], shell: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut takes_text = false;
    let mut n = shell + 1;
    while let Some(word) = words.get(n) {
        if *word == "--" {
            n += 1;
            break;
        }
        if word.len() < 2 || !word.starts_with(['-', '+']) {
            break;
        }
        if expression(word).is_some() {
            found.push(n);
        }
        if let Some(long) = word.strip_prefix("--") {
            if matches!(long, "command" | "init-command") {
                found.push(n + 1);
                n += 1;
            } else if WITH_ARGUMENT.contains(word) {
                n += 1;
            }
        } else {
            takes_text |= word.starts_with('-') && word.contains('c');
            if program(words[shell]) == "fish" && word.ends_with('C') {
                found.push(n + 1);
                n += 1;
            }
            // `-o pipefail` and `-O extglob` take an argument, alone or together with others.
            n += word.matches(['o', 'O']).count();
        }
        n += 1;
    }
    if takes_text {
        found.push(n);
    }
    found.retain(|n| *n < words.len());
    found
}

/// The texts that `env -S` takes apart.
fn split_text(words: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    for (n, word) in words.iter().enumerate().skip(1) {
        let is_short = word.starts_with('-') && !word.starts_with("--") && word.contains('S');
        if is_short || word.starts_with("--split-string") {
            found.extend([n, n + 1]);
        }
        if !word.starts_with('-') && !word.contains('=') {
            break;
        }
    }
    found.retain(|n| *n < words.len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str]) -> Vec<usize> {
        interpreted(words).into_iter().filter(|n| expression(words[*n]).is_some()).collect()
    }

    #[test]
    fn values_in_the_text_of_a_shell_are_found() {
        for (words, at) in [
            (&["sh", "-c", "echo ${vars.x}"][..], 2),
            (&["/usr/bin/bash", "-ec", "echo ${vars.x}"], 2),
            (&["zsh", "-lc", "${vars.x}"], 2),
            (&["bash", "-c", "-e", "--", "${vars.x}"], 4),
            (&["bash", "-euo", "pipefail", "-c", "${vars.x}"], 4),
            (&["bash", "-ceuo", "pipefail", "${vars.x}"], 3),
            (&["bash", "-c", "-o", "pipefail", "${vars.x}"], 4),
            (&["bash", "+o", "posix", "-c", "${vars.x}"], 4),
            (&["bash", "--rcfile", "f", "--norc", "-c", "${vars.x}"], 5),
            (&["fish", "--command", "${vars.x}"], 2),
            (&["fish", "-C", "${vars.x}", "script.fish"], 2),
            (&["fish", "--command=echo ${vars.x}"], 1),
            (&["fish", "-cecho ${vars.x}"], 1),
            (&["env", "sh", "-c", "${vars.x}"], 3),
            (&["/usr/bin/env", "-i", "-u", "HOME", "A=b", "dash", "-c", "${vars.x}"], 7),
            (&["env", "-S", "sh -c ${vars.x}"], 2),
            (&["env", "--split-string=sh -c ${vars.x}"], 1),
            (&["timeout", "5", "ksh", "-c", "${vars.x}"], 4),
            (&["${vars.bin}/sh", "-c", "${vars.x}"], 2),
        ] {
            assert_eq!(found(words), [at], "{words:?}");
        }
    }

    #[test]
    fn values_beside_the_text_of_a_shell_are_left_alone() {
        for words in [
            &["sh", "-c", "echo \"$1\"", "sh", "${vars.x}"][..],
            &["sh", "-c", "echo $${HOME}", "${vars.x}"],
            &["bash", "script.sh", "-c", "${vars.x}"],
            &["bash", "-e", "${vars.script}", "-c", "${vars.x}"],
            &["grep", "-c", "${vars.x}"],
            &["grep", "sh", "-c", "${vars.x}"],
            &["env", "A=${vars.x}", "cargo", "test", "-S", "${vars.x}"],
            &["echo", "${vars.x}"],
            &[],
        ] {
            assert_eq!(found(words), [] as [usize; 0], "{words:?}");
        }
    }
}
