//! `doctor`: which agents are installed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::home::Home;

#[test]
fn agents_are_shown_with_their_versions_and_their_login_status() {
    let home = Home::new();
    for (name, script) in [
        (
            "claude",
            "case $1 in --version) echo '2.1.400 (Claude Code)';; *) echo noise >&2; echo '{\"loggedIn\": true,'; echo '\"authMethod\": \"api_key\"}';; esac",
        ),
        (
            "codex",
            "case $1 in --version) echo WARNING: x >&2; echo codex-cli 0.12.3;; *) echo Not logged in >&2; exit 1;; esac",
        ),
        ("gemini", "echo no number"),
    ] {
        home.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let file = home.path(&format!("bin/{name}"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let doctor = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("PATH", home.path("bin"));
        command.env("CODEX_API_KEY", "not-to-be-shown").env_remove("ANTHROPIC_API_KEY");
        command.output().unwrap()
    };
    let told = doctor(&["doctor"]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0));
    insta::assert_snapshot!(text, @r"
        PROVIDER     PROGRAM   VERSION                                                                 LOGIN
        acp          built in  ready                                                                   the program is in the definition, as `command`; log in with it
        claude-code  claude    2.1.400 (tested: 2.1.330)                                               says: logged in: api_key
        codex        codex     0.12.3 (not tested; tested: 0.169.0)                                    says: Not logged in; CODEX_API_KEY is set
        gemini       gemini    it does not report its version
        grok         grok      not installed, or not on the PATH: `npm install -g @xai-official/grok`
        http         built in  ready                                                                   keys are in the definition, as `${secrets.NAME}`
        model        built in  ready                                                                   keys are in the definition, as `${secrets.NAME}`
    ");
    let json = String::from_utf8(doctor(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(json.lines().count(), 7);
    assert!(!(text + &json).contains("not-to-be-shown"));
}
