//! The working directory and the environment of a command.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::CallRequest;
use workflow_providers::{CommandBuilder, CommandProvider};

use super::{Call, request};

/// The environment that `provider` gives to a command.
fn environment(provider: &CommandProvider, request: CallRequest) -> BTreeMap<String, String> {
    let printed = Call::start(provider, request).end().unwrap().output.value();
    let lines = printed.as_str().unwrap().lines().map(|line| line.split_once('=').unwrap());
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_environment_is_the_allow_list_and_the_marks_of_the_call() {
    let request = request("", json!({ "command": ["env"] }));
    let mut expected: BTreeMap<_, _> = std::env::vars()
        .filter(|(name, _)| CommandBuilder::DEFAULT_ENV.contains(&name.as_str()))
        .chain([
            ("WORKFLOW_RUN_ID".to_owned(), request.id.run.to_string()),
            ("WORKFLOW_IDEMPOTENCY_KEY".to_owned(), format!("{}/1/work[0]/run", request.id.run)),
            ("WORKFLOW_CALL".to_owned(), format!("{}:0000000000000007:1/work[0]/run:1", request.id.run)),
        ])
        .collect();
    assert!(expected.contains_key("PATH") && !expected.contains_key("CARGO_MANIFEST_DIR"));
    assert_eq!(environment(&CommandProvider::new(), request.clone()), expected);

    let provider = CommandProvider::builder().allow_env(["PATH", "CARGO_MANIFEST_DIR"]).build();
    expected.retain(|name, _| name == "PATH" || name.starts_with("WORKFLOW_"));
    expected.insert("CARGO_MANIFEST_DIR".to_owned(), std::env::var("CARGO_MANIFEST_DIR").unwrap());
    assert_eq!(environment(&provider, request), expected);
}

#[test]
fn what_is_nearer_to_the_command_wins_except_for_the_marks() {
    let mut request = request(
        "",
        json!({ "command": ["env"], "env": { "B": 2, "HOME": "/own", "WORKFLOW_CALL": "forged" } }),
    );
    let stage = [("A", "1"), ("B", "1"), ("USER", "stage"), ("WORKFLOW_RUN_ID", "forged")];
    request.env = stage.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let run = request.id.run.to_string();

    let environment = environment(&CommandProvider::new(), request);

    for (name, value) in
        [("A", "1"), ("B", "2"), ("HOME", "/own"), ("USER", "stage"), ("WORKFLOW_RUN_ID", &run)]
    {
        assert_eq!(environment[name], value, "{name}");
    }
    assert_ne!(environment["WORKFLOW_CALL"], "forged");
}

#[test]
fn a_name_cannot_smuggle_in_another_variable() {
    let mut of_stage = request("", json!({ "command": ["env"] }));
    of_stage.env.insert("WORKFLOW_CALL=x".to_owned(), "y".to_owned());
    let of_command = request("", json!({ "command": ["env"], "env": { "WORKFLOW_CALL=x": "y" } }));
    for request in [of_stage, of_command] {
        let failure = *Call::start(&CommandProvider::new(), request).end().unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent);
    }
}

#[test]
fn a_command_works_inside_the_work_root_and_nowhere_else() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().canonicalize().unwrap().join("root");
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::create_dir(home.path().join("root-2")).unwrap();
    fs::write(root.join("file"), "").unwrap();
    symlink("sub/deep", root.join("in")).unwrap();
    symlink("..", root.join("out")).unwrap();
    let provider = CommandProvider::builder().work_root(&root).build();
    let pwd = |stage: Option<&str>, own: Option<&str>| {
        let mut options = json!({ "command": ["pwd", "-P"] });
        if let Some(own) = own {
            options["cwd"] = own.into();
        }
        let mut request = request("", options);
        request.cwd = stage.map(str::to_owned);
        Call::start(&provider, request).end().map(|reply| reply.output.value())
    };
    let path = |directory: &str| Value::String(root.join(directory).to_str().unwrap().to_owned());
    let text = |directory: &str| root.join(directory).to_str().unwrap().to_owned();

    assert_eq!(pwd(None, None).unwrap(), root.to_str().unwrap());
    assert_eq!(pwd(Some("sub"), None).unwrap(), path("sub"));
    assert_eq!(pwd(Some("sub"), Some("sub/deep")).unwrap(), path("sub/deep"));
    assert_eq!(pwd(Some(&text("sub")), None).unwrap(), path("sub"));
    assert_eq!(pwd(Some("sub/../in"), None).unwrap(), path("sub/deep"));
    for outside in ["..", "/", "out", "out/root-2", "sub/../..", &text("../root-2")] {
        let failure = *pwd(Some(outside), None).unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent);
        assert_eq!(failure.message, format!("`cwd` `{outside}` is outside of the work root"));
    }
    for (unusable, problem) in [("file", "is not a directory"), ("none", "cannot be used as a directory")] {
        let failure = *pwd(None, Some(unusable)).unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(problem), "{failure}");
    }
}

#[test]
fn a_relative_program_is_found_from_where_it_works() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("tools");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("hello"), "#!/bin/sh\necho hello from \"$(basename \"$PWD\")\"\n").unwrap();
    fs::set_permissions(directory.join("hello"), fs::Permissions::from_mode(0o755)).unwrap();
    let provider = CommandProvider::builder().work_root(root.path()).build();
    let options = json!({ "command": ["./hello"], "cwd": "tools" });
    assert_eq!(
        Call::start(&provider, request("", options)).end().unwrap().output.value(),
        "hello from tools"
    );
}
