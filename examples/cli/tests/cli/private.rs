//! What started programs cannot read, and how secrets are passed without the environment.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::home::{Ended, Home, lives};

/// The user who runs the attack if the tests run as root, who can read everything.
const SOMEBODY: u32 = 65_534;

/// Prints the environments of all parent processes, as far as they can be read, and what else shows whether
/// they can.
const ATTACK: &str = r#"
p=$$
while [ "$p" -gt 1 ]; do
  echo "process $p of $(id -u)"
  tr '\0' '\n' </proc/$p/environ
  (: </proc/$p/mem) && [ "$p" != $$ ] && echo "memory of $p"
  p=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$p/status)
done >seen 2>errors
echo "cores $(ulimit -c)" >>seen
"#;

#[test]
fn commands_of_the_same_user_cannot_read_the_environment_of_the_program() {
    let home = Home::with_stages(&[
        ("attack", ATTACK),
        // The program can still examine other processes as it needs to: it stops processes that were left
        // behind.
        ("leave", "setsid sleep 1000 >/dev/null 2>&1 & echo $! >left"),
    ]);
    let mut command = home.command(&["run", "stages.workflow.yml", "--run-id", "r1"]);
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        let program = home.path("workflow");
        fs::copy(env!("CARGO_BIN_EXE_workflow"), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        for path in [home.path(""), home.path("stages.workflow.yml")] {
            chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        }
        let same = std::mem::replace(&mut command, Command::new(&program));
        command.args(same.get_args()).current_dir(home.path("")).env_clear().stdin(Stdio::null());
        command.envs(same.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    command.env("WORKFLOW_SECRET_OTHER", "of-no-stage");
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let seen = home.read("seen");
    // The attack reached the program: it saw itself, and that it has parents.
    assert!(seen.contains("WORKFLOW_CALL=") && seen.matches("process ").count() > 1, "{seen}");
    assert!(!is_root || seen.contains(&format!(" of {SOMEBODY}\n")), "{seen}");
    assert!(!seen.contains("of-no-stage") && !seen.contains("memory"), "{seen}");
    assert!(seen.contains("cores 0"), "{seen}");
    assert!(!lives(&home, "left"));
}

#[test]
fn secrets_are_read_from_files() {
    let home = Home::new();
    home.write(
        "secret.workflow.yml",
        "workflow: { name: Secret, stages: [one] }\none:\n  env: { A: \"${secrets.A}\", B: \"${secrets.B}\" }\n  \
         with: { command: [sh, -c, 'echo \"$A $B\" >seen; echo \"it is $A\"; env >environment'] }\n",
    );
    home.write("secrets/A", "from-a-file\n");
    let mut command = home.command(&["run", "secret.workflow.yml", "--run-id", "r1"]);
    command.env("WORKFLOW_SECRETS_DIR", "secrets");
    command.env("WORKFLOW_SECRET_A", "from-the-environment").env("WORKFLOW_SECRET_B", "b-in-the-environment");
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(home.read("seen"), "from-a-file b-in-the-environment\n");
    assert!(!home.read("environment").contains("WORKFLOW_SECRET"));
    assert!(ended.stdout.contains("it is [redacted]"), "{ended:?}");
}

#[test]
fn the_url_of_the_store_is_read_from_a_file_or_a_descriptor() {
    let home = Home::with_stages(&[("one", "true")]).on("sqlite:not-this.db");
    home.write("url", "sqlite:in-file.db\n");
    let ended = home.run(&["run", "stages.workflow.yml", "--run-id", "r1", "--store-file", "url"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(home.path("in-file.db").exists() && !home.path("not-this.db").exists());
    let mut command = home.command(&[]);
    let program = command.get_program().to_owned();
    let same = std::mem::replace(&mut command, Command::new("sh"));
    command
        .args(["-c", "echo sqlite:in-file.db | \"$0\" show r1 --json --store-file /dev/fd/0"])
        .arg(program);
    command.current_dir(home.path("")).envs(same.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Ended::from(command.output().unwrap());
    assert_eq!((ended.code, &ended.json()[0]["status"]), (Some(0), &"completed".into()), "{ended:?}");
    let ended = home.run(&["runs", "--store-file", "nowhere"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("nowhere"), "{ended:?}");
}

#[test]
fn a_secret_that_is_too_short_is_refused_and_one_in_an_argument_is_warned_of() {
    let home = Home::new();
    home.write(
        "secret.workflow.yml",
        "workflow: { name: Secret, stages: [one] }\none:\n  with: { command: [echo, \"Bearer ${secrets.PIN}\"] }\n",
    );
    let ended = home.run(&["validate", "secret.workflow.yml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("warning[secret-in-argument]") && ended.stdout.contains("`stdin`"),
        "{ended:?}"
    );
    let mut command = home.command(&["run", "secret.workflow.yml"]);
    let ended = Ended::from(command.env("WORKFLOW_SECRET_PIN", "12345").output().unwrap());
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("error: secret `PIN` has fewer than 6 characters"), "{ended:?}");
    assert!(!ended.stderr.contains("12345"), "{ended:?}");
}
