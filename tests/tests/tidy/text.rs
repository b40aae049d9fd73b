//! Committed texts must not contain paths of a developer's machine.

use crate::workspace::{FILES, TextFile, none, root};

/// The folders of users on the usual systems; written in two parts, so that this file does not contain them.
const HOMES: &[&str] =
    &[concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!(":\\Us", "ers\\")];

/// The prefixes of temporary folders, which a snapshot may contain by mistake.
const TEMPORARY: &[&str] = &[concat!("/tmp/", ".tmp"), concat!("/var/", "folders/")];

fn machine_paths(file: &TextFile, places: &[&str]) -> Vec<String> {
    let lines = file.text.lines().enumerate();
    let mentions = lines.filter_map(|(index, line)| {
        let place = places.iter().find(|place| line.contains(**place))?;
        Some(format!("{}:{}: mentions {place}", file.path, index + 1))
    });
    mentions.collect()
}

#[test]
fn no_file_mentions_a_place_on_somebodys_machine() {
    let clone = root().to_string_lossy();
    let places: Vec<&str> = HOMES.iter().chain(TEMPORARY).copied().chain([&*clone]).collect();
    none(&FILES.iter().flat_map(|file| machine_paths(file, &places)).collect::<Vec<_>>());
}

#[test]
fn a_place_on_somebodys_machine_is_found() {
    let text = format!("fine\nsee {}ann/notes\nsee /usr/bin/env\n", HOMES[0]);
    let file = TextFile { path: "notes.md".into(), text };
    assert_eq!(machine_paths(&file, HOMES), [format!("notes.md:2: mentions {}", HOMES[0])]);
}
