//! Files that an agent must not edit (`AgentBuilder::deny_write`).

/// Only this command line receives rules.
mod claude_code {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use serde_json::json;
    use workflow_core::output::OutputKind;
    use workflow_providers::ClaudeCodeProvider;
    use workflow_tests::model_api::{AFTER, BEFORE, Scenario};

    use crate::cli::Cli;
    use crate::rig::{Call, Rig, Shared};

    /// All modes of the provider; `None` is the default.
    const MODES: [Option<&str>; 6] = [
        None,
        Some("default"),
        Some("acceptEdits"),
        Some("dontAsk"),
        Some("plan"),
        Some("bypassPermissions"),
    ];

    /// A home beside the files that the agent works on, with a workflow in it and a link to it.
    fn with_home() -> (Rig, PathBuf) {
        let rig = Rig::new();
        let home = rig.work().join(".workflow");
        fs::create_dir_all(home.join("workflows")).unwrap();
        symlink(&home, rig.work().join("link")).unwrap();
        (rig, home)
    }

    /// Lets the model read, overwrite and edit a file, and returns the content of the file and the results of
    /// the tools afterwards. None of the tools has to ask.
    fn edited(rig: &Rig, mode: Option<&str>, denied: &[PathBuf], file: &Path) -> (Option<String>, String) {
        let mut provider = ClaudeCodeProvider::builder().program(Cli::ClaudeCode.program());
        provider = provider.work_root(rig.work()).allow_env::<String>([]).deny_write(denied);
        // Otherwise it refuses `bypassPermissions` for root.
        provider = provider.env("IS_SANDBOX", "1");
        for (name, value) in rig.environment(&[(Cli::ClaudeCode, Scenario::Edits)]) {
            provider = provider.env(name, value);
        }
        let options = json!({ "model": "fake-model", "allowed_tools": ["Read", "Edit", "Write"], "permission_mode": mode });
        let call = Call::new(&format!("Change the file `{}`.", file.display()), options);
        call.made(&Shared::new(provider.build())).unwrap();
        (fs::read_to_string(file).ok(), call.said(OutputKind::Tool))
    }

    #[test]
    fn a_denied_file_is_not_edited_in_any_permission_mode() {
        let (rig, home) = with_home();
        let (file, free) = (home.join("workflows/ship.yml"), rig.work().join("free.yml"));
        for mode in MODES {
            fs::write(&file, BEFORE).unwrap();
            fs::write(&free, BEFORE).unwrap();
            let denied = [home.join("workflows")];
            let (now, told) = edited(&rig, mode, &denied, &file);
            assert_eq!(now.as_deref(), Some(BEFORE), "{mode:?}: {told}");
            assert_eq!(told.matches("denied").count(), 2, "{mode:?}: {told}");
            if mode != Some("plan") {
                // The same calls, with rules for other files.
                let (now, told) = edited(&rig, mode, &denied, &free);
                assert_eq!(now.as_deref(), Some(AFTER), "{mode:?}: {told}");
            }
        }
    }

    #[test]
    fn a_denied_file_is_not_made_nor_reached_by_a_link() {
        let (rig, home) = with_home();
        let denied = [home.join("workflows"), home.join("runs.db*")];
        let mode = Some("bypassPermissions");
        for new in ["workflows/new.yml", "runs.db-wal"] {
            let (now, told) = edited(&rig, mode, &denied, &home.join(new));
            assert_eq!(now, None, "{new}: {told}");
        }
        let file = home.join("workflows/ship.yml");
        fs::write(&file, BEFORE).unwrap();
        let link = rig.work().join("link");
        for (denied, file) in
            [(home.as_path(), link.join("workflows/ship.yml")), (link.as_path(), file.clone())]
        {
            let (now, told) = edited(&rig, mode, &[denied.join("workflows")], &file);
            assert_eq!(now.as_deref(), Some(BEFORE), "{}: {told}", denied.display());
        }
    }
}
