//! Files that an agent must not edit (`AgentBuilder::deny_write`).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_tests::model_api::{AFTER, BEFORE, Scenario};

use crate::cli::Cli;
use crate::rig::{Call, Rig};

/// A home beside the files that the agent works on, with a workflow in it and a link to it.
fn with_home() -> (Rig, PathBuf) {
    let rig = Rig::new();
    let home = rig.work().join(".workflow");
    fs::create_dir_all(home.join("workflows")).unwrap();
    symlink(&home, rig.work().join("link")).unwrap();
    (rig, home)
}

/// Lets the model read, overwrite and edit a file, and returns the content of the file and the results of
/// the tools afterwards.
fn edited(cli: Cli, rig: &Rig, options: Value, denied: &[PathBuf], file: &Path) -> (Option<String>, String) {
    let provider = rig.provider_denying(cli, Scenario::Edits, denied);
    let call = Call::new(&format!("Change the file `{}`.", file.display()), options);
    // Some end the call when a tool is denied.
    let _ = call.made(&provider);
    (fs::read_to_string(rig.work().join(file)).ok(), call.said(OutputKind::Tool))
}

/// In each mode, the model cannot change a denied file, and can change another unless the mode denies that to all files.
fn a_denied_file_is_not_edited(cli: Cli, key: &str, modes: &[(Option<&str>, bool)], options: &Value) {
    let (rig, home) = with_home();
    let (file, free) = (home.join("workflows/ship.yml"), rig.work().join("free.yml"));
    let denied = [home.join("workflows")];
    for (mode, edits) in modes {
        let mut options = options.clone();
        options[key] = json!(mode);
        fs::write(&file, BEFORE).unwrap();
        fs::write(&free, BEFORE).unwrap();
        let (now, said) = edited(cli, &rig, options.clone(), &denied, &file);
        assert_eq!(now.as_deref(), Some(BEFORE), "{mode:?}: {said}");
        // The same calls, with rules for other files.
        let (now, said) = edited(cli, &rig, options, &denied, &free);
        assert_eq!(now.as_deref(), Some(if *edits { AFTER } else { BEFORE }), "{mode:?}: {said}");
    }
}

/// In the mode that allows all else.
fn a_denied_file_is_not_made(cli: Cli, options: &Value) {
    let (rig, home) = with_home();
    let denied = [home.join("workflows"), home.join("runs.db*")];
    for new in ["workflows/new.yml", "runs.db-wal"] {
        let (now, said) = edited(cli, &rig, options.clone(), &denied, &home.join(new));
        assert_eq!(now, None, "{new}: {said}");
        let (now, said) = edited(cli, &rig, options.clone(), &denied, &Path::new(".workflow").join(new));
        assert_eq!(now, None, "{new}: {said}");
    }
}

/// Whether a denied file is safe when the model names it by a link, and when the rule does.
fn by_a_link(cli: Cli, options: &Value) -> [bool; 2] {
    let (rig, home) = with_home();
    let link = rig.work().join("link");
    let file = home.join("workflows/ship.yml");
    [(&home, link.join("workflows/ship.yml")), (&link, file.clone())].map(|(denied, named)| {
        fs::write(&file, BEFORE).unwrap();
        let (now, _) = edited(cli, &rig, options.clone(), &[denied.join("workflows")], &named);
        now.as_deref() == Some(BEFORE)
    })
}

mod claude_code {
    use super::*;

    fn options(mode: &str) -> Value {
        json!({ "model": "fake-model", "allowed_tools": ["Read", "Edit", "Write"], "permission_mode": mode })
    }

    #[test]
    fn a_denied_file_is_not_edited_in_any_permission_mode() {
        let modes = [
            (None, true),
            (Some("default"), true),
            (Some("acceptEdits"), true),
            (Some("dontAsk"), true),
            (Some("plan"), false),
            (Some("bypassPermissions"), true),
        ];
        a_denied_file_is_not_edited(Cli::ClaudeCode, "permission_mode", &modes, &options("default"));
    }

    #[test]
    fn a_denied_file_is_not_made_nor_reached_by_a_link() {
        a_denied_file_is_not_made(Cli::ClaudeCode, &options("bypassPermissions"));
        assert_eq!(by_a_link(Cli::ClaudeCode, &options("bypassPermissions")), [true, true]);
    }
}

mod gemini {
    use super::*;

    fn options(mode: &str) -> Value {
        json!({ "model": "fake-model", "approval_mode": mode })
    }

    #[test]
    fn a_denied_file_is_not_edited_in_any_approval_mode() {
        let modes = [
            (Some("default"), false),
            (Some("auto_edit"), true),
            (Some("plan"), false),
            (Some("yolo"), true),
        ];
        a_denied_file_is_not_edited(Cli::Gemini, "approval_mode", &modes, &options("default"));
    }

    #[test]
    fn a_denied_file_is_not_made() {
        super::a_denied_file_is_not_made(Cli::Gemini, &options("yolo"));
        // It compares the path as the model wrote it.
        assert_eq!(by_a_link(Cli::Gemini, &options("yolo")), [false, true]);
    }
}

mod grok {
    use super::*;

    fn options(mode: &str) -> Value {
        json!({ "model": "fake-model", "permission_mode": mode })
    }

    #[test]
    fn a_denied_file_is_not_edited_in_any_permission_mode() {
        let modes = [
            (Some("default"), false),
            (Some("acceptEdits"), false),
            (Some("dontAsk"), false),
            (Some("plan"), false),
            (Some("bypassPermissions"), true),
        ];
        a_denied_file_is_not_edited(Cli::Grok, "permission_mode", &modes, &options("default"));
    }

    #[test]
    fn a_denied_file_is_not_made() {
        super::a_denied_file_is_not_made(Cli::Grok, &options("bypassPermissions"));
        assert_eq!(by_a_link(Cli::Grok, &options("bypassPermissions")), [true, true]);
    }
}
