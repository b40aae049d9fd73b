//! The catalog in files.

#![cfg(test)]
#![cfg(feature = "files")]

use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use serde_json::json;
use workflow_core::catalog::{Catalog, CatalogError, Version};
use workflow_core::ids::WorkflowId;
use workflow_store::FsCatalog;

fn id(text: &str) -> WorkflowId {
    WorkflowId::new(text).unwrap()
}

fn text(name: &str) -> String {
    format!(
        "# A comment\nworkflow:\n  name: {name}   # and another\n  stages: [ask]\nask: {{ provider: command }}\n"
    )
}

/// An empty home, its folder of workflows, and the catalog.
fn home() -> (tempfile::TempDir, PathBuf, FsCatalog) {
    let home = tempfile::tempdir().unwrap();
    let catalog = FsCatalog::open(home.path()).unwrap();
    let workflows = home.path().join("workflows");
    (home, workflows, catalog)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_definition_is_created_read_updated_and_deleted() {
    let (_home, workflows, catalog) = home();
    assert!(block_on(catalog.list()).unwrap().is_empty());
    let created = block_on(catalog.create(&id("a"), &text("First"))).unwrap();
    assert_eq!(names(&workflows), ["a.workflow.yml"]);
    assert_eq!(fs::read_to_string(workflows.join("a.workflow.yml")).unwrap(), text("First"));
    assert_eq!(created.origin, workflows.join("a.workflow.yml").display().to_string());
    assert_eq!(block_on(catalog.get(&id("a"))).unwrap(), created);

    let updated = block_on(catalog.update(&id("a"), &text("Second"), &created.version)).unwrap();
    assert_eq!(updated.text, text("Second"));
    assert_ne!(updated.version, created.version);
    assert_eq!(block_on(catalog.get(&id("a"))).unwrap(), updated);
    assert_eq!(names(&workflows), ["a.workflow.yml"], "nothing is left beside it");
    let listed = block_on(catalog.list()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_deref(), &listed[0].stages[..]), (Some("Second"), &["ask".to_owned()][..]));
    assert_eq!(listed[0].problem, None);

    block_on(catalog.delete(&id("a"))).unwrap();
    assert!(names(&workflows).is_empty());
    let gone = [
        block_on(catalog.get(&id("a"))).map(drop),
        block_on(catalog.update(&id("a"), &text("Third"), &updated.version)).map(drop),
        block_on(catalog.delete(&id("a"))),
    ];
    for result in gone {
        assert!(matches!(&result, Err(CatalogError::NotFound(gone)) if gone == "workflow `a`"), "{result:?}");
    }
}

#[test]
fn nothing_is_found_in_a_home_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let catalog = FsCatalog::open(home.path().join("none")).unwrap();
    assert!(block_on(catalog.list()).unwrap().is_empty());
    for result in [block_on(catalog.get(&id("a"))).map(drop), block_on(catalog.delete(&id("a")))] {
        assert!(matches!(result, Err(CatalogError::NotFound(_))), "{result:?}");
    }
    assert!(!home.path().join("none").exists());
    block_on(catalog.create(&id("a"), &text("First"))).unwrap();
    assert!(home.path().join("none/workflows/a.workflow.yml").exists());
}

#[test]
fn creating_never_overwrites() {
    let (_home, workflows, catalog) = home();
    fs::create_dir(&workflows).unwrap();
    for (name, file) in [("a", "a.workflow.yml"), ("b", "b.workflow.yaml")] {
        fs::write(workflows.join(file), "kept: as it is").unwrap();
        let error = block_on(catalog.create(&id(name), &text("First"))).unwrap_err();
        assert!(
            matches!(&error, CatalogError::Exists(there) if *there == format!("workflow `{name}`")),
            "{error}"
        );
        assert_eq!(fs::read_to_string(workflows.join(file)).unwrap(), "kept: as it is");
    }
    assert_eq!(names(&workflows).len(), 2);
}

#[test]
fn a_writer_that_read_an_old_version_is_refused() {
    let (_home, workflows, catalog) = home();
    let first = block_on(catalog.create(&id("a"), &text("First"))).unwrap();
    // Another process edits the file.
    fs::write(workflows.join("a.workflow.yml"), text("Theirs")).unwrap();
    let error = block_on(catalog.update(&id("a"), &text("Mine"), &first.version)).unwrap_err();
    assert!(matches!(&error, CatalogError::Stale(stale) if stale == "workflow `a`"), "{error}");
    let theirs = block_on(catalog.get(&id("a"))).unwrap();
    assert_eq!(theirs.text, text("Theirs"));
    block_on(catalog.update(&id("a"), &text("Mine"), &theirs.version)).unwrap();
}

#[test]
fn one_field_is_changed_and_every_other_byte_left_alone() {
    let (_home, workflows, catalog) = home();
    let before = text("First");
    let first = block_on(catalog.create(&id("a"), &before)).unwrap();
    let set = |path, value: Option<&_>, read: &_| block_on(catalog.update_field(&id("a"), path, value, read));
    let second = set("workflow.name", Some(&json!("Second")), &first.version).unwrap();
    let read = || fs::read_to_string(workflows.join("a.workflow.yml")).unwrap();
    assert_eq!(read(), before.replace("First", "Second"));
    let error = set("workflow.name", Some(&json!("Third")), &first.version).unwrap_err();
    assert!(matches!(error, CatalogError::Stale(_)), "{error}");
    for (path, value) in [("ask.retries", json!(99)), ("ask.providers[3].role", json!("x")), ("", json!(1))] {
        let error = set(path, Some(&value), &second.version).unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{path}: {error}");
    }
    let third = set("ask.retries", Some(&json!(2)), &second.version).unwrap();
    assert!(third.text.contains("retries: 2"), "{}", third.text);
    let fourth = set("ask.retries", None, &third.version).unwrap();
    assert_eq!(fourth.text, before.replace("First", "Second"));
    assert_eq!(read(), fourth.text);
}

#[test]
fn no_update_of_several_writers_is_lost() {
    let (home, _workflows, catalog) = home();
    block_on(catalog.create(&id("a"), &text("n 000"))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let catalog = FsCatalog::open(home.path()).unwrap();
                let mut written = 0;
                while written < 10 {
                    let read = block_on(catalog.get(&id("a"))).unwrap();
                    let count: u32 = read.text.split_once("n ").unwrap().1[..3].parse().unwrap();
                    let next = text(&format!("n {:03}", count + 1));
                    match block_on(catalog.update(&id("a"), &next, &read.version)) {
                        Ok(_) => written += 1,
                        Err(error) => assert!(matches!(error, CatalogError::Stale(_)), "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(block_on(catalog.get(&id("a"))).unwrap().text, text("n 030"));
}

#[test]
fn a_text_that_is_not_a_definition_of_that_id_is_not_stored() {
    let (_home, workflows, catalog) = home();
    let first = block_on(catalog.create(&id("a"), &text("First"))).unwrap();
    let other_id = text("Other").replace("workflow:\n", "workflow:\n  id: other\n");
    let too_large = format!("{}# {}", text("Large"), "x".repeat(1 << 20));
    for (bad, said) in [
        ("workflow: [", "error["),
        ("workflow:\n  name: No stages\n", "stages"),
        (&other_id, "id-mismatch"),
        (&too_large, "at most 1048576"),
    ] {
        let results = [
            block_on(catalog.update(&id("a"), bad, &first.version)),
            block_on(catalog.create(&id("b"), bad)),
        ];
        for result in results {
            let Err(CatalogError::Invalid(message)) = &result else { panic!("{result:?}") };
            assert!(message.contains(said), "{message}");
        }
    }
    assert_eq!(names(&workflows), ["a.workflow.yml"]);
    assert_eq!(block_on(catalog.get(&id("a"))).unwrap(), first);
}

#[test]
fn what_cannot_be_read_is_listed_with_its_problem() {
    let (home, workflows, catalog) = home();
    fs::create_dir_all(workflows.join("stages")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(workflows.join(name), bytes).unwrap();
    write("good.workflow.yaml", text("Good").as_bytes());
    write("twice.workflow.yml", text("One").as_bytes());
    write("twice.workflow.yaml", text("Two").as_bytes());
    write("large.workflow.yml", &[text("Large").as_bytes(), &vec![b'#'; 1 << 20]].concat());
    write("latin.workflow.yml", b"workflow: { name: \xfcber }\n");
    write("broken.workflow.yml", b"workflow:\n  name: Broken\n  stages: ask\n");
    fs::create_dir(workflows.join("folder.workflow.yml")).unwrap();
    // None of these is a definition.
    write("not an id.workflow.yml", text("Bad name").as_bytes());
    write(".tmp-a-1-0", b"half");
    write("notes.md", b"notes");
    write("stages/plan.simple.yml", b"graph: []");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.yml"), text("Secret")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(outside.path().join("secret.yml"), workflows.join("out.workflow.yml")).unwrap();
        symlink("nowhere", workflows.join("lost.workflow.yml")).unwrap();
        fs::write(home.path().join("shared.yml"), text("Shared")).unwrap();
        symlink("../shared.yml", workflows.join("within.workflow.yml")).unwrap();
    }
    let before = names(&workflows);
    let listed = block_on(catalog.list()).unwrap();
    let mut shown = String::new();
    for entry in &listed {
        let what = entry.problem.as_ref().or(entry.name.as_ref()).unwrap();
        shown += &[entry.id.as_str(), ": ", what, "\n"].concat();
        // Reading a file with a problem reports it too; only a text with errors can be read.
        let read = block_on(catalog.get(&entry.id));
        match &entry.problem {
            Some(problem) if entry.id != id("broken") => {
                let Err(CatalogError::Invalid(message)) = read else { panic!("{}: {read:?}", entry.id) };
                assert!(message.contains(problem), "{message}");
            }
            _ => drop(read.unwrap()),
        }
    }
    #[cfg(unix)]
    insta::assert_snapshot!(shown, @r"
    broken: 3:11: error[wrong-type]: `stages` has to be a list of stage names, as `[plan, code]`, not a text
    folder: it is not a file
    good: Good
    large: it has 1048671 bytes: a definition has at most 1048576
    latin: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 18
    lost: it is a symbolic link that is broken or leads out of the home
    out: it is a symbolic link that is broken or leads out of the home
    twice: there are both twice.workflow.yml and twice.workflow.yaml: delete one of them
    within: Shared
    ");
    assert_eq!(names(&workflows), before);
    #[cfg(unix)]
    {
        let any = Version(String::new());
        let error = block_on(catalog.update(&id("out"), &text("Mine"), &any)).unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
        assert_eq!(fs::read_to_string(outside.path().join("secret.yml")).unwrap(), text("Secret"));
    }
}

#[test]
#[cfg(unix)]
fn a_folder_that_leads_out_of_the_home_is_not_used() {
    let (_home, workflows, catalog) = home();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.workflow.yml"), text("Secret")).unwrap();
    std::os::unix::fs::symlink(outside.path(), &workflows).unwrap();
    assert!(block_on(catalog.list()).unwrap()[0].problem.is_some());
    assert!(block_on(catalog.get(&id("a"))).is_err());
    assert!(block_on(catalog.create(&id("b"), &text("Mine"))).is_err());
    assert!(block_on(catalog.delete(&id("a"))).is_err());
    assert_eq!(names(outside.path()), ["a.workflow.yml"]);
}

#[test]
#[cfg(unix)]
fn an_update_keeps_permissions_and_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (home, workflows, catalog) = home();
    fs::create_dir(&workflows).unwrap();
    let shared = home.path().join("shared.yml");
    fs::write(&shared, text("First")).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o664)).unwrap();
    symlink("../shared.yml", workflows.join("a.workflow.yml")).unwrap();
    let read = block_on(catalog.get(&id("a"))).unwrap();
    block_on(catalog.update(&id("a"), &text("Second"), &read.version)).unwrap();
    assert!(workflows.join("a.workflow.yml").is_symlink());
    assert_eq!(fs::read_to_string(&shared).unwrap(), text("Second"));
    assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o777, 0o664);
    block_on(catalog.delete(&id("a"))).unwrap();
    assert!(shared.exists());
}
