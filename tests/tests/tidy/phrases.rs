//! Phrases that may not come back into documents, comments and messages, because a plain word says more.

use crate::workspace::{TextFile, files, none};

/// The phrases, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    ("go on", "continue, resume"),
    ("goes on", "continues, resumes"),
    ("going on", "in progress"),
    ("gone on", "continued"),
    ("went on", "continued"),
    ("take up", "resume, acquire"),
    ("takes up", "resumes, acquires"),
    ("taken up", "resumed, acquired"),
    ("took up", "resumed, acquired"),
    ("take it up", "resume it, acquire it"),
    ("takes it up", "resumes it, acquires it"),
    ("take them up", "resume them, acquire them"),
    ("takes a run up", "resumes a run, acquires a run"),
    ("takes the run up", "resumes the run, acquires the run"),
    ("driven again", "resumed"),
    ("rests", "is idle, waits"),
    ("stands at", "is at"),
    ("nobody", "name the component: no process, no worker, no person"),
    ("somebody", "name the component: a process, a worker, a person"),
    ("ended well", "succeeded"),
    ("ends well", "succeeds"),
    ("exits well", "exits with success"),
    ("ended badly", "failed"),
    ("ends badly", "fails"),
    ("asked of a run", "a control request"),
    ("asked of the run", "a control request"),
    ("waits for no", "does not wait for"),
    ("taken for dead", "presumed dead"),
    ("wake up", "resume"),
    ("wakes up", "resumes"),
    ("say of being", "login status"),
    ("comes to", "reaches, results in"),
    ("came to", "reached, resulted in"),
    ("has come", "is due"),
    ("have come", "are due"),
    ("is there now", "exists"),
    ("right to drive", "lease"),
    ("befall", "fault, event"),
    ("befalls", "fault, event"),
    ("what became of", "the outcome of, the state of"),
    ("what becomes of", "the outcome of, the state of"),
    ("anew", "again"),
    ("good any more", "still valid"),
    ("no list but", "must be a list, found"),
    ("the run stands", "the run is at"),
    ("is doubtful", "is a warning"),
    ("wrong or doubtful", "errors and warnings"),
    ("sees to it", "name the action: stops, cleans up, checks"),
];

/// The folders whose comments and messages are checked too.
const SOURCES: &[&str] =
    &["benches/", "crates/", "examples/", "fuzz/fuzz_targets/", "tests/src/", "tests/tests/", "xtask/src/"];

/// The words of a Markdown text outside of code, with their lines, which are counted from `first`; what is not a
/// part of a word separates sentences.
fn words(text: &str, first: usize) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (first..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            for (n, part) in line.split('`').enumerate() {
                if n % 2 == 1 {
                    found.push((number, "`".to_owned()));
                    continue;
                }
                let part = part.to_lowercase();
                for word in part.split_whitespace() {
                    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
                    found.push((number, bare.to_owned()));
                    if word.ends_with(['.', ':', ';', '?', '!', '|']) {
                        found.push((number, ".".to_owned()));
                    }
                }
            }
        }
    }
    found
}

/// The phrases of a Markdown text that may not come back, with their lines and what to write instead.
pub(crate) fn phrases_in(text: &str) -> Vec<(usize, String)> {
    phrases_among(&words(text, 1))
}

fn phrases_among(words: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (phrase, instead) in PHRASES {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        for window in words.windows(wanted.len()) {
            if window.iter().map(|(_, word)| word).eq(wanted.iter()) {
                found.push((window[0].0, format!("\"{phrase}\": write: {instead}")));
            }
        }
    }
    // "is no X" stops every reader; "there is no X" and "is no longer" are idioms.
    for (n, window) in words.windows(3).enumerate() {
        let [(line, is), (_, no), (_, what)] = window else { continue };
        let before = n.checked_sub(1).map_or("", |n| &words[n].1);
        if (is == "is" || is == "are") && no == "no" && before != "there" && what != "longer" && what != "." {
            found.push((*line, format!("\"{is} no {what}\": write: {is} not")));
        }
    }
    found
}

/// Whether a literal is a single word, as the name of a user or of a field is, and not a message.
fn is_name(literal: &str) -> bool {
    !literal.contains(char::is_whitespace)
}

/// The comments and the string literals of Rust code, each with its first line. Lines of comments that follow one
/// another are one text, and so is a literal that is continued by a backslash; placeholders are marked as code.
fn prose(code: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut line, mut last_comment) = (1, 0);
    let mut rest = code;
    while let Some(at) = rest.find(['/', '"', '\'', 'r']) {
        let (before, here) = rest.split_at(at);
        line += before.matches('\n').count();
        rest = here;
        let raw =
            rest.strip_prefix('r').map(|raw| raw.trim_start_matches('#')).filter(|raw| raw.starts_with('"'));
        if rest.starts_with("//") {
            let comment = rest.lines().next().unwrap_or_default();
            rest = &rest[comment.len()..];
            let before = &code[..code.len() - rest.len() - comment.len()];
            let comment = comment.trim_start_matches(['/', '!']);
            let is_first_in_line = before.rsplit('\n').next().is_some_and(|indent| indent.trim().is_empty());
            match found.last_mut().filter(|_| is_first_in_line && last_comment + 1 == line) {
                Some((_, text)) => text.extend(["\n", comment]),
                None => found.push((line, comment.to_owned())),
            }
            last_comment = line;
        } else if let Some(raw) = raw.filter(|_| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        {
            let end = format!("\"{}", "#".repeat(rest.len() - raw.len() - 1));
            let (text, after) = raw[1..].split_once(&end).unwrap_or((&raw[1..], ""));
            if !is_name(text) {
                found.push((line, text.to_owned()));
            }
            line += text.matches('\n').count();
            (rest, last_comment) = (after, 0);
        } else if rest.starts_with('"') {
            let mut escaped = false;
            let closes = |c: char| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            };
            let (text, after) = rest[1..].split_once(closes).unwrap_or((&rest[1..], ""));
            if !is_name(text) {
                found.push((line, text.replace("\\\n", "\n").replace("\\n", " . ").replace(['{', '}'], "`")));
            }
            line += text.matches('\n').count();
            (rest, last_comment) = (after, 0);
        } else {
            let quoted =
                ["'\"'", "'\\\"'", "'/'", "'\\''"].into_iter().find(|quoted| rest.starts_with(quoted));
            rest = &rest[quoted.map_or(1, str::len)..];
        }
    }
    found
}

/// The names of functions that are sentences, as tests have, each with its line.
fn sentences(code: &str) -> Vec<(usize, String)> {
    let name = |line: &str| {
        let name = line.split("fn ").nth(1)?.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        (name.matches('_').count() >= 3).then(|| name.replace('_', " "))
    };
    (1..).zip(code.lines()).filter_map(|(number, line)| Some((number, name(line)?))).collect()
}

fn violations(file: &TextFile) -> Vec<String> {
    let is_code = std::path::Path::new(&file.path).extension().is_some_and(|extension| extension == "rs");
    let found = if is_code {
        let texts = [prose(&file.text), sentences(&file.text)].concat();
        texts.iter().flat_map(|(line, text)| phrases_among(&words(text, *line))).collect()
    } else {
        phrases_in(&file.text)
    };
    found.into_iter().map(|(line, phrase)| format!("{}:{line}: {phrase}", file.path)).collect()
}

#[test]
fn no_document_has_a_phrase_that_may_not_come_back() {
    const NAMES: &[&str] = &["README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "DESIGN", "SECURITY"];
    let is_document = |file: &&TextFile| {
        let name = file.path.strip_suffix(".md").unwrap_or_default();
        NAMES.contains(&name) || file.path.starts_with("docs/")
    };
    assert!(files(".md").filter(is_document).count() > NAMES.len() + 20);
    none(&files(".md").filter(is_document).flat_map(violations).collect::<Vec<_>>());
}

#[test]
fn a_phrase_is_found_also_over_two_lines_and_not_in_code() {
    let text = "A run goes\non. It is no store, there is no store, is no longer one. `goes on`\n```sh\nnobody\n```\n\
                Go. On it rests\n";
    let file = TextFile { path: "x.md".into(), text: text.into() };
    let found = violations(&file);
    let starts: Vec<&str> = found.iter().map(|line| &line[..line.rfind("\":").unwrap()]).collect();
    assert_eq!(starts, ["x.md:1: \"goes on", "x.md:6: \"rests", "x.md:2: \"is no store"]);
}

#[test]
fn no_comment_message_or_name_of_a_test_has_a_phrase_that_may_not_come_back() {
    // This file has all of the phrases.
    let is_checked = |file: &&TextFile| {
        SOURCES.iter().any(|folder| file.path.starts_with(folder)) && !file.path.ends_with("tidy/phrases.rs")
    };
    for folder in SOURCES {
        assert!(files(".rs").any(|file| file.path.starts_with(folder)), "{folder} has no files");
    }
    none(&files(".rs").filter(is_checked).flat_map(violations).collect::<Vec<_>>());
}

#[test]
fn a_phrase_is_found_in_comments_literals_and_names_of_tests_and_not_in_other_names() {
    let cases: &[(&str, &[&str])] = &[
        ("/// A run goes\n/// on.\nfn f() {}", &["1: \"goes on"]),
        ("let a = 1; // nobody", &["1: \"nobody"]),
        ("//! It\n\n// is no\n// store", &["3: \"is no store"]),
        ("fail!(\n    \"`{name}` is \\\n     no store: {why}\",\n);", &["2: \"is no store"]),
        ("let a = r#\"it says \"nobody\"\"#; // rests", &["1: \"nobody", "1: \"rests"]),
        ("let quote = ['\"', '\\'']; // nobody", &["1: \"nobody"]),
        ("use nobody::rests;\nlet rests = state.rests(nobody);", &[]),
        ("// `nobody`, [`rests`](Self::rests)\n// ```\n// nobody\n// ```", &[]),
        ("let user = \"nobody\";", &[]),
        ("f(\"it goes {rests} on\", \"goes\", \"on\"); // goes\nlet on = 1; // on", &[]),
    ];
    let tests: &[(&str, &[&str])] = &[
        ("    fn a_run_goes_on_after_a_crash() {}", &["1: \"goes on"]),
        ("fn goes_on() {}\nfn there_is_no_run_to_resume() {}", &[]),
    ];
    for (code, expected) in cases.iter().chain(tests) {
        let file = TextFile { path: "x.rs".into(), text: (*code).to_owned() };
        let found = violations(&file);
        let starts: Vec<&str> =
            found.iter().map(|line| &line["x.rs:".len()..line.rfind("\":").unwrap()]).collect();
        assert_eq!(starts, *expected, "{code}");
    }
}
