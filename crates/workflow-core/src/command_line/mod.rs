//! Which parts of a command line an interpreter executes: `sh -c "echo ${vars.x}"` would run whatever the
//! variable holds.
//!
//! A command line is checked twice: as it is written, when the definition is validated, and as it was rendered,
//! before the call, because an expression can decide what a word is. Known interpreters are found by their names,
//! anywhere in the command line. What cannot be found: an interpreter under another name, a program that
//! executes an argument in a way of its own, and a literal program text that executes its own arguments
//! (`sh -c 'eval "$1"'`).

mod interpreters;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::interpreters::{Interpreter, Operands};
use crate::expr::ValueTemplate;
use crate::failure::{Failure, FailureClass};

/// The parts of a command line that an interpreter executes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramText {
    /// Which of the words, by number and in order.
    pub(crate) words: Vec<usize>,
    /// Whether standard input is program text.
    pub(crate) stdin: bool,
}

/// The message for a program that is chosen by a value.
pub(crate) const DYNAMIC_PROGRAM: &str = "a value decides which program runs: name the program, or allow it with \
                                          `dynamic_command: true` beside `command`";

/// What is wrong with a value in a program text that is read from standard input.
pub(crate) const STDIN: &str = "the program reads its program text from standard input, and a value would be \
                                executed with it: name a script, and pass values as arguments or through `env`";

/// How to hand a value to a program text.
pub(crate) const ADVICE: &str = "pass it as an argument after the text (`[sh, -c, 'echo \"$1\"', sh, \
                                 \"${vars.x}\"]`) or through `env`";

/// The option by which a definition allows an expression to decide which program runs.
pub(crate) const DYNAMIC: &str = "dynamic_command";

/// Finds the parts of the command line `words` that are executed.
pub(crate) fn program_text(words: &[&str]) -> ProgramText {
    let mut found = ProgramText::default();
    // `xargs -I {}` puts what it reads from standard input into the words.
    let mut replaces = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        replaces |= interpreters::is(word, "xargs") && words[at..].iter().any(|word| is_replace_option(word));
        match interpreters::find(word) {
            Some(interpreter) => {
                let read = Reading::read(interpreter, words, at + 1);
                found.stdin |= read.stdin || interpreters::is(word, "parallel");
                found.stdin |= replaces && !read.text.is_empty();
                found.words.extend(read.text);
                at = match read.end {
                    // Certainly a program, so that all that follows are its arguments.
                    Some(_) if at == 0 => words.len(),
                    Some(end) => end.max(at + 1),
                    None => at + 1,
                };
            }
            None if at == 0 && interpreters::starts_nothing(word) => break,
            None => at += 1,
        }
    }
    found.words.retain(|n| *n < words.len());
    found.words.sort_unstable();
    found.words.dedup();
    found
}

fn is_replace_option(word: &str) -> bool {
    ["-I", "-i", "--replace"].iter().any(|option| word.starts_with(option))
}

/// The arguments of one interpreter, as they are read.
struct Reading<'w> {
    interpreter: &'static Interpreter,
    words: &'w [&'w str],
    at: usize,
    /// The words that are executed; there may be none at the last number.
    text: Vec<usize>,
    /// An option gave the text, or a script.
    has_text: bool,
    /// The first operand is the text: a shell's `-c`.
    text_follows: bool,
    stdin: bool,
    /// Where the interpreter's own arguments end, when all after that are arguments of what it executes.
    end: Option<usize>,
}

impl<'w> Reading<'w> {
    fn read(interpreter: &'static Interpreter, words: &'w [&'w str], at: usize) -> Self {
        let (text, has_text, text_follows, stdin, end) = (Vec::new(), false, false, false, None);
        let mut reading = Self { interpreter, words, at, text, has_text, text_follows, stdin, end };
        let mut skipped = 0;
        while reading.end.is_none()
            && let Some(word) = words.get(reading.at)
        {
            if !reading.option(word) {
                match interpreter.operands {
                    Operands::Other(most) if skipped < most => skipped += 1,
                    _ => break,
                }
            }
            reading.at += 1;
            if *word == "--" {
                break;
            }
        }
        if reading.end.is_none() {
            reading.operands();
        }
        reading
    }

    /// Reads an option and its argument; false for an operand.
    fn option(&mut self, word: &str) -> bool {
        let interpreter = self.interpreter;
        let (name, is_whole) = word.split_once('=').map_or((word, false), |(name, _)| (name, true));
        let name = name.to_ascii_lowercase();
        if interpreter.code_options.contains(&name.as_str()) {
            self.has_text = true;
            if interpreter.takes_rest {
                self.text.extend(self.at + 1..self.words.len());
                self.end = Some(self.words.len());
            } else {
                self.at += usize::from(!is_whole);
                self.text.push(self.at);
            }
        } else if interpreter.value_options.contains(&name.as_str()) {
            self.has_text |= name == "--file";
            self.at += usize::from(!is_whole);
        } else if word.starts_with("--") {
            // An option of a shell that a value decides.
            if interpreter.operands == Operands::Shell {
                self.text.push(self.at);
            }
        } else if word.len() > 1 && word.starts_with(['-', '+']) {
            self.letters(word);
        } else {
            return false;
        }
        true
    }

    /// Reads short options that are combined in one word.
    fn letters(&mut self, word: &str) {
        let interpreter = self.interpreter;
        let is_shell = interpreter.operands == Operands::Shell;
        let option = self.at;
        for (n, letter) in word.char_indices().skip(1) {
            let rest = &word[n + letter.len_utf8()..];
            let rest_is_empty = rest.is_empty();
            self.stdin |= interpreter.stdin.contains(letter);
            if is_shell && letter == 'c' {
                self.text_follows |= word.starts_with('-');
            } else if is_shell && matches!(letter, 'o' | 'O') {
                // `-o pipefail` and `-O extglob` take the next word, alone or together with others.
                self.at += 1;
            } else if interpreter.code.contains(letter) {
                self.has_text = true;
                // Several can be combined: `node -pe`.
                self.at += usize::from(rest.chars().all(|letter| interpreter.code.contains(letter)));
                self.text.push(self.at);
                return;
            } else if interpreter.script.contains(letter) {
                self.has_text = true;
                self.at += usize::from(rest_is_empty);
                if interpreter.operands == Operands::Script {
                    self.end = Some(self.at + 1);
                }
                return;
            } else if interpreter.values.contains(letter) {
                self.at += usize::from(rest_is_empty);
                return;
            } else if interpreter.attached.contains(letter) {
                return;
            } else if letter == '$' {
                // A value decides which options these are.
                self.text.push(option);
                return;
            }
        }
    }

    fn operands(&mut self) {
        let (at, all) = (self.at, self.words.len());
        let operand = self.words.get(at);
        let is_stdin = operand.is_some_and(|word| matches!(*word, "-" | "/dev/stdin" | "/dev/fd/0"));
        self.end = match self.interpreter.operands {
            Operands::Shell if self.text_follows => {
                self.text.push(at);
                // The next word is what the text calls `$0`.
                Some(at + 2)
            }
            Operands::Shell | Operands::Script => {
                self.stdin |= is_stdin || (operand.is_none() && !self.has_text);
                Some(at + 1)
            }
            Operands::Text => {
                if !self.has_text {
                    self.text.push(at);
                }
                Some(all)
            }
            Operands::AllText => {
                self.text.extend(at..all);
                Some(all)
            }
            Operands::TextAfterFirst => {
                self.text.extend(at + 1..all);
                self.stdin |= at + 1 >= all;
                Some(all)
            }
            Operands::Eval => {
                let eval = (at..all).find(|n| self.words[*n] == "eval");
                self.text.extend(eval.map(|eval| eval + 1..all).into_iter().flatten());
                eval.map(|_| all)
            }
            Operands::Other(_) => None,
        };
    }
}

/// Refuses a call in which a value would be executed: for what the definition alone does not tell. `with` and
/// `options` are the options as they are written and as they were rendered; `prompt_is_literal` says whether no
/// value can have reached the prompt.
///
/// # Errors
///
/// A failure that names the word.
pub(crate) fn check_rendered(
    with: &ValueTemplate,
    options: &Value,
    prompt_is_literal: impl FnOnce() -> bool,
    field: fmt::Arguments<'_>,
) -> Result<(), Failure> {
    let stdin_is_literal = || match options.get("stdin") {
        Some(_) => with.is_literal_at("stdin", None),
        None => prompt_is_literal(),
    };
    let is_literal = |n| with.is_literal_at("command", Some(n));
    check_words(options, is_literal, || with.is_literal_at(DYNAMIC, None), stdin_is_literal, field)
}

fn check_words(
    options: &Value,
    is_literal: impl Fn(usize) -> bool,
    dynamic_is_literal: impl FnOnce() -> bool,
    stdin_is_literal: impl FnOnce() -> bool,
    field: fmt::Arguments<'_>,
) -> Result<(), Failure> {
    let Some(Value::Array(command)) = options.get("command") else { return Ok(()) };
    if !is_literal(0) && !is_dynamic(options.get(DYNAMIC), dynamic_is_literal()) {
        let message = format!("{field}.command[0]: {DYNAMIC_PROGRAM}");
        return Err(Failure::new(FailureClass::Permanent, message));
    }
    let words: Vec<&str> = command.iter().map(|word| word.as_str().unwrap_or_default()).collect();
    let found = program_text(&words);
    if let Some(n) = found.words.into_iter().find(|n| !is_literal(*n)) {
        let message = format!("{field}.command[{n}]: a value would be executed as program text: {ADVICE}");
        return Err(Failure::new(FailureClass::Permanent, message));
    }
    if found.stdin && !stdin_is_literal() {
        let message = format!("{field}.command: {STDIN}");
        return Err(Failure::new(FailureClass::Permanent, message));
    }
    Ok(())
}

/// Which parts of a command line no value decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LiteralWords {
    words: Vec<bool>,
    dynamic: bool,
    stdin: bool,
}

impl LiteralWords {
    /// Those of rendered options, if they have a command: the same as in [`check_rendered`].
    pub(crate) fn of(with: &ValueTemplate, options: &Value, prompt_is_literal: bool) -> Option<Self> {
        let Some(Value::Array(command)) = options.get("command") else { return None };
        let stdin = options.get("stdin").map_or(prompt_is_literal, |_| with.is_literal_at("stdin", None));
        Some(Self {
            words: (0..command.len()).map(|n| with.is_literal_at("command", Some(n))).collect(),
            dynamic: with.is_literal_at(DYNAMIC, None),
            stdin,
        })
    }

    /// Refuses options in which a value would be executed once secrets are put in.
    ///
    /// # Errors
    ///
    /// A failure that names the word.
    pub(crate) fn check(&self, options: &Value, field: fmt::Arguments<'_>) -> Result<(), Failure> {
        let is_literal = |n: usize| self.words.get(n).copied().unwrap_or_default();
        check_words(options, is_literal, || self.dynamic, || self.stdin, field)
    }
}

/// Whether a definition allows a value to decide which program runs.
pub(crate) fn is_dynamic(option: Option<&Value>, is_literal: bool) -> bool {
    is_literal && option == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Template;

    /// The words with an expression that are executed, and whether standard input is.
    fn found(words: &[&str]) -> (Vec<usize>, bool) {
        let ProgramText { words: found, stdin } = program_text(words);
        let has_expression =
            |n: &usize| Template::parse(words[*n]).is_ok_and(|template| !template.is_literal());
        (found.into_iter().filter(has_expression).collect(), stdin)
    }

    #[test]
    fn values_in_program_text_are_found() {
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
            (&["bash", "-${vars.x}", "text"], 1),
            (&["fish", "--command", "${vars.x}"], 2),
            (&["fish", "-C", "${vars.x}", "script.fish"], 2),
            (&["fish", "--command=echo ${vars.x}"], 1),
            (&["fish", "-cecho ${vars.x}"], 1),
            (&["pwsh", "-NoProfile", "-Command", "Get-Item", "${vars.x}"], 4),
            (&["cmd.exe", "/c", "echo ${vars.x}"], 2),
            (&["env", "sh", "-c", "${vars.x}"], 3),
            (&["/usr/bin/env", "-i", "-u", "HOME", "A=b", "dash", "-c", "${vars.x}"], 7),
            (&["env", "-S", "sh -c ${vars.x}"], 2),
            (&["env", "-iS", "sh -c ${vars.x}"], 2),
            (&["env", "--split-string=sh -c ${vars.x}"], 1),
            (&["timeout", "5", "ksh", "-c", "${vars.x}"], 4),
            (&["${vars.bin}/sh", "-c", "${vars.x}"], 2),
            (&["flock", "f", "-c", "${vars.x}"], 3),
            (&["flock", "f", "sh", "-c", "${vars.x}"], 4),
            (&["docker", "exec", "c", "sh", "-c", "${vars.x}"], 5),
            (&["kubectl", "exec", "pod", "--", "bash", "-c", "${vars.x}"], 6),
            (&["find", ".", "-name", "python3", "-exec", "sh", "-c", "${vars.x}", ";"], 7),
            (&["ssh", "-p", "22", "host", "ls ${vars.x}"], 4),
            (&["ssh", "-oProxyCommand=${vars.x}", "host", "ls"], 1),
            (&["sshpass", "-e", "ssh", "host", "--", "${vars.x}"], 5),
            (&["su", "user", "-c", "${vars.x}"], 3),
            (&["su", "-", "user", "--command=${vars.x}"], 3),
            (&["runuser", "-u", "user", "--", "sh", "-c", "${vars.x}"], 6),
            (&["xargs", "-0", "sh", "-c", "${vars.x}"], 4),
            (&["python3", "-c", "${vars.x}"], 2),
            (&["python3.11", "-Ic", "print(${vars.x})"], 2),
            (&["uv", "run", "python", "-c", "${vars.x}"], 4),
            (&["perl", "-lane", "print ${vars.x}"], 2),
            (&["perl", "-Mstrict;${vars.x}", "script.pl"], 1),
            (&["ruby", "-e", "${vars.x}"], 2),
            (&["node", "-e", "${vars.x}"], 2),
            (&["node", "--max-old-space-size=99", "-pe", "${vars.x}"], 3),
            (&["node", "--import=data:text/javascript,${vars.x}", "a.mjs"], 1),
            (&["deno", "eval", "${vars.x}"], 2),
            (&["php", "-r", "${vars.x}"], 2),
            (&["awk", "-F", ",", "{ print ${vars.x} }", "file"], 3),
            (&["sed", "-i", "s/a/${vars.x}/", "file"], 2),
            (&["sed", "-e", "s/a/${vars.x}/", "file"], 2),
            (&["watch", "-n", "ls ${vars.x}"], 2),
            (&["script", "-qc", "${vars.x}", "/dev/null"], 2),
            (&["parallel", "gzip ${vars.x}"], 1),
            (&["npx", "-c", "${vars.x}"], 2),
        ] {
            assert_eq!(found(words).0, [at], "{words:?}");
        }
    }

    #[test]
    fn values_beside_program_text_are_left_alone() {
        for words in [
            &["sh", "-c", "echo \"$1\"", "sh", "${vars.x}"][..],
            &["sh", "-c", "echo $${HOME}", "${vars.x}"],
            &["bash", "script.sh", "-c", "${vars.x}"],
            &["bash", "-e", "${vars.script}", "-c", "${vars.x}"],
            &["env", "sh", "-c", "echo \"$1\"", "sh", "${vars.x}", "-c", "${vars.x}"],
            &["docker", "exec", "c", "sh", "-c", "echo \"$1\"", "sh", "${vars.x}"],
            &["python3", "-m", "pytest", "-c", "${vars.config}"],
            &["python3", "script.py", "-c", "${vars.x}"],
            &["node", "script.js", "-e", "${vars.x}"],
            &["perl", "-i.bak", "-pe", "s/a/b/", "${vars.file}"],
            &["awk", "-v", "x=${vars.x}", "{ print x }", "${vars.file}"],
            &["sed", "-n", "1p", "${vars.file}"],
            &["sed", "-f", "script.sed", "${vars.file}"],
            &["grep", "-c", "${vars.x}"],
            &["grep", "sh", "-c", "${vars.x}"],
            &["env", "A=${vars.x}", "cargo", "test", "-S", "${vars.x}"],
            &["cargo", "test", "-p", "${vars.crate}"],
            &["ssh", "${vars.host}", "uptime"],
            &["git", "commit", "-m", "${vars.x}"],
            &["echo", "${vars.x}"],
            &[],
        ] {
            assert_eq!(found(words), (vec![], false), "{words:?}");
        }
    }

    #[test]
    fn program_text_from_standard_input_is_found() {
        for (words, stdin) in [
            (&["sh"][..], true),
            (&["bash", "-s", "--", "a"], true),
            (&["bash", "-e"], true),
            (&["bash", "/dev/stdin"], true),
            (&["docker", "exec", "-i", "c", "sh"], true),
            (&["ssh", "host"], true),
            (&["ssh", "host", "bash -s"], false),
            (&["python3"], true),
            (&["python3", "-"], true),
            (&["node"], true),
            (&["perl", "-w"], true),
            (&["parallel"], true),
            (&["xargs", "-I{}", "sh", "-c", "echo {}"], true),
            (&["xargs", "sh", "-c", "echo \"$@\"", "sh"], false),
            (&["sh", "-c", "cat"], false),
            (&["sh", "script.sh"], false),
            (&["python3", "-m", "json.tool"], false),
            (&["python3", "-c", "import sys"], false),
            (&["awk", "{ print }"], false),
            (&["cat"], false),
        ] {
            assert_eq!(program_text(words).stdin, stdin, "{words:?}");
        }
    }
}
