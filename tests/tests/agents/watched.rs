//! The files that a command line uses: a call with a tool, traced with `strace`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use workflow_tests::model_api::{Scenario, TEXT};

use crate::cli::{Cli, installed};
use crate::rig::{Call, Rig};

for_every_cli! { no_file_outside_of_its_place_is_touched }

/// The system's own files, which are only read.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/lib/dpkg",
];

/// Places that are written without leaving anything: devices, `/proc`, and the root that a sandbox creates in
/// memory.
const FLEETING: &[&str] = &["/proc", "/dev", "/newroot", "/oldroot"];

/// Paths that describe the kind of machine, and not its content.
const LOOKED_AT: &[&str] = &["/", "/var", "/home", "/.dockerenv"];

fn no_file_outside_of_its_place_is_touched(cli: Cli) {
    let rig = Rig::new();
    let (wrapper, trace) = (rig.root().join("watched"), rig.root().join("trace"));
    let script = format!(
        "#!/bin/sh\nexec strace -f -y -qq -s 4096 -e trace=%file -e signal=none -o '{}' '{}' \"$@\"\n",
        trace.display(),
        cli.program().display()
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let call = Call::new("Use the tool.", cli.options());
    let reply = call.made(&rig.provider_of(cli, Scenario::Tool, &wrapper)).unwrap();
    assert_eq!(reply.output.value(), TEXT);

    let touched = touched(&String::from_utf8_lossy(&fs::read(trace).unwrap()), &rig.work());
    // The trace shows something: reading the key, and writing the tool's output.
    assert!(touched.iter().any(|touch| touch.writes && touch.path == rig.work().join("tool_out.txt")));
    let violations: BTreeSet<_> = touched.iter().filter_map(violation).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The violation, if it is one.
fn violation(touch: &Touch) -> Option<String> {
    let Touch { path, writes, succeeded, line } = touch;
    let within = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    // `cargo xtask test-agents` runs this with a private folder for temporary files.
    let own = path.starts_with(std::env::temp_dir());
    if own || (!writes && (path.starts_with(installed()) || within(SYSTEM))) || within(FLEETING) {
        return None;
    }
    // The parents of its own folder are on every path to it.
    let looked_at = LOOKED_AT.iter().any(|place| path == Path::new(place)) || installed().starts_with(path);
    if !writes && looked_at {
        return None;
    }
    let in_home = std::env::var_os("HOME").is_some_and(|home| path.starts_with(home));
    if in_home && line.starts_with("open") {
        return Some(format!("the real home: {line}"));
    }
    // A failed lookup of a missing file reveals nothing.
    succeeded.then(|| format!("{}: {line}", if *writes { "written" } else { "read" }))
}

/// One use of a file.
struct Touch {
    path: PathBuf,
    writes: bool,
    succeeded: bool,
    line: String,
}

/// Parses a trace. Relative paths begin at `work` unless the trace says otherwise.
fn touched(trace: &str, work: &Path) -> Vec<Touch> {
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, begun.to_owned());
            continue;
        }
        let resumed = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>"));
        let call = match resumed {
            Some((_, rest)) => unfinished.remove(process).unwrap_or_default() + rest,
            None => call.to_owned(),
        };
        let (Some((name, arguments)), Some((_, result))) = (call.split_once('('), call.rsplit_once(" = "))
        else {
            continue;
        };
        let succeeded = !result.starts_with('-') && !result.starts_with('?');
        let writes = writes(name, arguments);
        for path in paths(name, arguments, work) {
            found.push(Touch { path, writes, succeeded, line: call.clone() });
        }
    }
    found
}

fn writes(name: &str, arguments: &str) -> bool {
    const CHANGES: &[&str] = &[
        "mkdir",
        "mknod",
        "unlink",
        "rmdir",
        "rename",
        "symlink",
        "link",
        "chmod",
        "fchmodat",
        "chown",
        "lchown",
        "fchownat",
        "truncate",
        "creat",
        "utime",
        "futimesat",
        "setxattr",
        "lsetxattr",
        "removexattr",
    ];
    let opens = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| arguments.contains(flag));
    opens || CHANGES.iter().any(|change| name.starts_with(change))
}

/// The absolute paths that a call names.
fn paths(name: &str, arguments: &str, work: &Path) -> Vec<PathBuf> {
    // The other arguments are not paths: arguments and variables of a program, link targets, mounts.
    let most = match name {
        "execve" | "execveat" | "readlink" | "readlinkat" | "statfs" | "getxattr" | "lgetxattr" => 1,
        "mount" => 0,
        _ => usize::MAX,
    };
    let mut found = Vec::new();
    // The target of a link is not a used file.
    let mut rest = if name.starts_with("symlink") { after_a_string(arguments) } else { arguments };
    while let Some((before, after)) = rest.split_once('"')
        && found.len() < most
    {
        let Some((text, after)) = after.split_once('"') else { break };
        rest = after;
        let folder =
            before.rsplit_once('<').and_then(|(_, folder)| folder.split_once('>')).map(|(folder, _)| folder);
        let base = folder.filter(|folder| folder.starts_with('/')).map_or(work, Path::new);
        if !text.is_empty() {
            found.push(normal(&base.join(text)));
        }
    }
    found
}

fn after_a_string(arguments: &str) -> &str {
    arguments.splitn(3, '"').nth(2).unwrap_or_default()
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn a_file_outside_of_its_place_is_found_in_a_trace() {
    let home = std::env::var("HOME").unwrap();
    let found = |line: &str| {
        let line = line.replace("HOME", &home);
        touched(&line, Path::new("/srv/work")).iter().any(|touch| violation(touch).is_some())
    };
    for outside in [
        r#"7 openat(AT_FDCWD</srv>, "secret", O_RDONLY) = 3</srv/secret>"#,
        r#"7 stat("../secret", {st_mode=S_IFREG}) = 0"#,
        r#"7 openat(AT_FDCWD</srv>, "HOME/.netrc", O_RDONLY) = -1 ENOENT (No such file or directory)"#,
        r#"7 openat(AT_FDCWD</srv>, "/etc/hosts", O_WRONLY|O_CREAT, 0644) = 3</etc/hosts>"#,
        r#"7 rename("/tmp/a", "/usr/a") = 0"#,
        r#"7 symlink("/tmp/a", "/opt/a") = 0"#,
        "7 openat(AT_FDCWD</srv>, \"/srv/a\", O_RDONLY <unfinished ...>\n8 getcwd(\"/\", 9) = 2\n7 <... openat resumed>) = 3</srv/a>",
    ] {
        assert!(found(outside), "{outside}");
    }
    for fine in [
        r#"7 openat(AT_FDCWD</srv>, "/etc/hosts", O_RDONLY) = 3</etc/hosts>"#,
        r#"7 openat(AT_FDCWD</srv>, "/srv/a", O_RDONLY) = -1 ENOENT (No such file or directory)"#,
        r#"7 symlink("/opt/a", "/tmp/a") = 0"#,
        r#"7 openat(3</tmp/x>, "../y", O_RDWR|O_CREAT, 0600) = 4</tmp/y>"#,
        r#"7 execve("/usr/bin/env", ["env", "/srv/a"], 0x7ffc /* 3 vars */) = 0"#,
    ] {
        assert!(!found(fine), "{fine}");
    }
}
