//! Phrases that may not come back into the documents: each reader has to stop at them, and a plain word says more.

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
];

/// The words of a Markdown file outside of code, with their lines; what is no part of a word parts sentences.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
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

/// The phrases of a text that may not come back, with their lines and what to write instead.
pub(crate) fn phrases_in(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
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

fn violations(file: &TextFile) -> Vec<String> {
    let found = phrases_in(&file.text).into_iter();
    found.map(|(line, phrase)| format!("{}:{line}: {phrase}", file.path)).collect()
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
