//! Roles, profiles, schemas, assignments and skills in files.

#![cfg(test)]
#![cfg(feature = "files")]

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use workflow_core::catalog::{Catalog, CatalogError, Part, PartKind, Text, Version};
use workflow_store::{Folders, FsCatalog};

fn role(id: &str) -> Part {
    Part::Role(id.parse().unwrap())
}

fn profile(stage: &str, id: &str) -> Part {
    Part::Profile(stage.parse().unwrap(), id.parse().unwrap())
}

fn schema(name: &str) -> Part {
    Part::Schema(name.to_owned())
}

/// A home, and a folder beside it.
struct Fixture {
    folder: tempfile::TempDir,
    catalog: FsCatalog,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Folders::default())
    }

    fn with(more: Folders) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = FsCatalog::with_folders(folder.path().join("home"), more).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder, catalog }
    }

    /// Writes a file beside or in the home.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        write(self.folder.path(), name, text);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        block_on(self.catalog.part(part))
    }

    fn put(&self, part: &Part, text: &str, read: Option<&Version>) -> Result<Text, CatalogError> {
        block_on(self.catalog.put_part(part, text, read))
    }

    fn list(&self, kind: PartKind) -> Vec<String> {
        block_on(self.catalog.parts(kind)).unwrap().iter().map(ToString::to_string).collect()
    }
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// One part of each kind, two valid texts for it, an invalid one, and its file.
fn kinds() -> [(Part, [&'static str; 2], &'static str, &'static str); 6] {
    let graph = "graph: [{ id: a, type: run }]";
    [
        (
            role("tester"),
            ["Test.", "---\nname: Tester\n---\nTest all."],
            "---\nname: 5\n---\n",
            "roles/tester.md",
        ),
        (
            profile("plan", "gate"),
            [graph, "name: Gate\ngraph: [{ id: b }]\n"],
            "graph: []",
            "workflows/stages/plan.gate.yml",
        ),
        (Part::Assignments, ["plan: codex\n", "plan: gemini\n"], "plan: 5\n", "config/assignments.yml"),
        (
            Part::Providers,
            ["providers: {}\n", "providers: { fast: { provider: codex } }\n"],
            "providers: 5\n",
            "config/providers.yml",
        ),
        (
            Part::Notifications,
            ["targets: {}\n", "targets: { team: { command: [x] } }\n"],
            "targets: 5\n",
            "config/notify.yml",
        ),
        (schema("schemas/plan.json"), ["{}", "type: object\n"], "{ \"a\": ", "schemas/plan.json"),
    ]
}

#[test]
fn a_part_is_written_read_replaced_and_deleted() {
    let it = Fixture::new();
    for (part, [first, second], _, file) in kinds() {
        assert_eq!(it.part(&part).unwrap(), None, "{part}");
        let written = it.put(&part, first, None).unwrap();
        assert_eq!(it.read(&format!("home/{file}")), first, "{part}");
        assert!(written.origin.ends_with(&format!("home/{file}")), "{}", written.origin);
        assert_eq!(it.part(&part).unwrap().as_ref(), Some(&written), "{part}");

        let replaced = it.put(&part, second, Some(&written.version)).unwrap();
        assert_ne!(replaced.version, written.version, "{part}");
        assert_eq!(it.part(&part).unwrap().as_ref(), Some(&replaced), "{part}");
        let path = it.folder.path().join("home").join(file);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "{part}: nothing is left beside it"
        );

        block_on(it.catalog.delete_part(&part)).unwrap();
        assert_eq!(it.part(&part).unwrap(), None, "{part}");
        let again = block_on(it.catalog.delete_part(&part)).unwrap_err();
        assert!(matches!(again, CatalogError::NotFound(_)), "{again}");
        let absent = it.put(&part, first, Some(&written.version)).unwrap_err();
        assert!(matches!(absent, CatalogError::NotFound(_)), "{absent}");
    }
}

#[test]
fn what_was_not_read_is_never_overwritten() {
    let it = Fixture::new();
    for (part, [first, second], _, file) in kinds() {
        let written = it.put(&part, first, None).unwrap();
        let exists = it.put(&part, second, None).unwrap_err();
        assert!(matches!(&exists, CatalogError::Exists(what) if *what == part.to_string()), "{exists}");
        // A user edits the file.
        it.write(&format!("home/{file}"), second);
        let stale = it.put(&part, first, Some(&written.version)).unwrap_err();
        assert!(matches!(&stale, CatalogError::Stale(what) if *what == part.to_string()), "{stale}");
        assert_eq!(it.read(&format!("home/{file}")), second, "{part}");
    }
}

#[test]
fn a_text_with_errors_is_not_stored() {
    let it = Fixture::new();
    for (part, [first, _], bad, file) in kinds() {
        let written = it.put(&part, first, None).unwrap();
        let large = format!("{first}\n# {}", "x".repeat(1 << 20));
        for bad in [bad, &large] {
            let refused = it.put(&part, bad, Some(&written.version)).unwrap_err();
            assert!(matches!(&refused, CatalogError::Invalid(_)), "{part}: {refused}");
        }
        assert_eq!(it.read(&format!("home/{file}")), first, "{part}");
        block_on(it.catalog.delete_part(&part)).unwrap();
        assert!(it.put(&part, bad, None).is_err());
        assert_eq!(it.part(&part).unwrap(), None, "{part}");
    }
    let refused = it.put(&role("tester"), "---\nid: other\n---\nText", None).unwrap_err().to_string();
    assert!(refused.contains("2:5: error[id-mismatch]"), "{refused}");
}

#[test]
fn no_change_of_several_writers_is_lost() {
    let it = Fixture::new();
    let part = role("tester");
    it.put(&part, "n 000", None).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let catalog = FsCatalog::open(it.folder.path().join("home")).unwrap();
                let mut written = 0;
                while written < 10 {
                    let read = block_on(catalog.part(&part)).unwrap().unwrap();
                    let count: u32 = read.text[2..].parse().unwrap();
                    let next = format!("n {:03}", count + 1);
                    match block_on(catalog.put_part(&part, &next, Some(&read.version))) {
                        Ok(_) => written += 1,
                        Err(error) => assert!(matches!(error, CatalogError::Stale(_)), "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(it.read("home/roles/tester.md"), "n 030");
}

#[test]
fn roles_and_profiles_are_listed_by_their_names_and_nothing_else_is() {
    let beside = tempfile::tempdir().unwrap();
    let mut more = Folders::default();
    more.roles = vec![beside.path().join("roles"), beside.path().join("lost")];
    let it = Fixture::with(more);
    assert_eq!(it.list(PartKind::Roles), [""; 0]);
    for name in ["b.md", "a.md", "not an id.md", "c.txt", ".md", "README", "sub/d.md"] {
        it.write(&format!("home/roles/{name}"), "Text");
    }
    for name in ["a.md", "e.md"] {
        write(beside.path(), &format!("roles/{name}"), "Text");
    }
    for name in [
        "plan.gate.yml",
        "plan.simple.yaml",
        "test.gate.yml",
        "plan.yml",
        "a.b.c.yml",
        "plan.gate.md",
        "x y.z.yml",
    ] {
        it.write(&format!("home/workflows/stages/{name}"), "graph: []");
    }
    assert_eq!(it.list(PartKind::Roles), ["role `a`", "role `b`", "role `e`"]);
    assert_eq!(
        it.list(PartKind::Profiles),
        ["profile `plan.gate`", "profile `plan.simple`", "profile `test.gate`"]
    );
}

#[test]
fn a_profile_and_the_assignments_may_end_in_yaml() {
    let it = Fixture::new();
    it.write("home/workflows/stages/plan.gate.yaml", "graph: [{ id: a }]");
    it.write("home/config/assignments.yaml", "plan: codex\n");
    for (part, text) in
        [(profile("plan", "gate"), "graph: [{ id: b }]"), (Part::Assignments, "plan: gemini\n")]
    {
        let read = it.part(&part).unwrap().unwrap();
        assert_eq!(std::path::Path::new(&read.origin).extension(), Some("yaml".as_ref()));
        assert!(matches!(it.put(&part, text, None), Err(CatalogError::Exists(_))));
        let replaced = it.put(&part, text, Some(&read.version)).unwrap();
        assert_eq!(replaced.origin, read.origin);
    }
}

#[test]
fn folders_beside_the_home_are_only_read_and_the_home_comes_first() {
    let beside = tempfile::tempdir().unwrap();
    write(beside.path(), "one/tester.md", "one");
    write(beside.path(), "two/tester.md", "two");
    write(beside.path(), "two/coder.md", "coder of two");
    let mut more = Folders::default();
    more.roles = vec![beside.path().join("one"), beside.path().join("two")];
    let it = Fixture::with(more);
    let text = |id: &str| it.part(&role(id)).unwrap().unwrap();
    assert_eq!((text("tester").text.as_str(), text("coder").text.as_str()), ("one", "coder of two"));
    assert_eq!(text("coder").origin, beside.path().join("two/coder.md").display().to_string());

    for part in [role("tester"), role("coder")] {
        let version = it.part(&part).unwrap().unwrap().version;
        let refused =
            [it.put(&part, "mine", Some(&version)).map(drop), block_on(it.catalog.delete_part(&part))];
        for refused in refused {
            assert!(
                matches!(&refused, Err(CatalogError::ReadOnly(what)) if *what == part.to_string()),
                "{refused:?}"
            );
        }
    }
    // A new part in the home hides it, and deleting that shows it again.
    it.put(&role("tester"), "mine", None).unwrap();
    assert_eq!(text("tester").text, "mine");
    block_on(it.catalog.delete_part(&role("tester"))).unwrap();
    assert_eq!(text("tester").text, "one");
    assert_eq!(fs::read_to_string(beside.path().join("one/tester.md")).unwrap(), "one");
}

#[test]
fn skills_are_folders_of_the_home_and_of_those_beside_it() {
    let beside = tempfile::tempdir().unwrap();
    write(beside.path(), "review/SKILL.md", "beside");
    write(beside.path(), "deploy/SKILL.md", "deploys");
    let mut more = Folders::default();
    more.skills = vec![beside.path().to_owned()];
    let it = Fixture::with(more);
    it.write("home/skills/review/SKILL.md", "of the home");
    it.write("home/skills/empty/README.md", "no skill");
    it.write("home/skills/flat.md", "no skill");
    it.write("home/roles/x/SKILL.md", "no skill");
    let skill = |name: &str| block_on(it.catalog.skill(name)).unwrap();
    let review = skill("review").unwrap();
    assert_eq!(review.text, "of the home");
    assert!(review.folder.unwrap().ends_with("skills/review"));
    let deploy = skill("deploy").unwrap();
    assert_eq!(deploy.text, "deploys");
    assert_eq!(deploy.folder, Some(beside.path().join("deploy").display().to_string()));
    let absent = [
        "lost",
        "empty",
        "flat",
        "flat.md",
        "",
        ".",
        "..",
        "../roles/x",
        "review/",
        "/etc",
        "a\0b",
        "Bash(git:*)",
    ];
    for name in absent {
        assert_eq!(skill(name), None, "{name:?}");
    }
}

#[test]
fn a_schema_is_named_by_a_path_that_stays_in_the_home() {
    let it = Fixture::new();
    it.write("outside.json", "{}");
    it.write("home/schemas/deep/er/a.json", "{}");
    assert!(it.part(&schema("schemas/deep/er/a.json")).unwrap().is_some());
    for name in ["schemas/lost.json", "lost/lost.json", "schemas/deep/er/a.json/more.json"] {
        assert_eq!(it.part(&schema(name)).unwrap(), None, "{name}");
    }
    let outside = it.folder.path().join("outside.json").display().to_string();
    let names = [
        "../outside.json",
        "schemas/../../outside.json",
        "schemas/../x.json",
        &outside,
        "/etc/passwd",
        "",
        ".",
        "..",
        "schemas//a.json",
        "./schemas/a.json",
        "schemas\\..\\..\\outside.json",
        "C:x.json",
        "schemas/\0.json",
    ];
    for name in names {
        let results = [
            it.part(&schema(name)).map(drop),
            it.put(&schema(name), "{}", None).map(drop),
            block_on(it.catalog.delete_part(&schema(name))),
        ];
        for result in results {
            assert!(matches!(&result, Err(CatalogError::Invalid(_))), "{name:?}: {result:?}");
        }
    }
    assert_eq!(it.read("outside.json"), "{}");
}

#[test]
fn a_file_that_is_too_large_or_no_text_is_refused_with_its_place() {
    let it = Fixture::new();
    it.write("home/skills/tester/SKILL.md", b"\xff");
    for (part, _, _, file) in kinds() {
        let file = format!("home/{file}");
        for (bytes, said) in
            [(vec![b'#'; (1 << 20) + 1], "it has 1048577 bytes"), (b"caf\xe9".to_vec(), "it is not UTF-8")]
        {
            it.write(&file, bytes);
            let refused = it.part(&part).unwrap_err().to_string();
            assert!(refused.contains(&file) && refused.contains(said), "{refused}");
        }
        fs::remove_file(it.folder.path().join(&file)).unwrap();
        fs::create_dir(it.folder.path().join(&file)).unwrap();
        let refused = it.part(&part).unwrap_err().to_string();
        assert!(refused.contains("it is not a file"), "{refused}");
    }
    let refused = block_on(it.catalog.skill("tester")).unwrap_err().to_string();
    assert!(refused.contains("SKILL.md: it is not UTF-8"), "{refused}");
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_part_is_read_or_written_through_a_link_out_of_the_home() {
        let it = Fixture::new();
        for (part, [first, second], _, file) in kinds() {
            let outside = format!("outside/{file}");
            it.write(&outside, first);
            let link = it.folder.path().join("home").join(file);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(it.folder.path().join(&outside), &link).unwrap();
            let results = [
                it.part(&part).map(drop),
                it.put(&part, second, None).map(drop),
                it.put(&part, second, Some(&Version(String::new()))).map(drop),
            ];
            for result in results {
                let Err(CatalogError::Invalid(message)) = &result else { panic!("{part}: {result:?}") };
                assert!(
                    message.contains("it is a symbolic link that is broken or leads out of the home"),
                    "{message}"
                );
            }
            assert_eq!(it.read(&outside), first, "{part}");
        }
    }

    #[test]
    fn a_folder_that_leads_out_of_the_home_is_not_used() {
        let it = Fixture::new();
        for folder in ["roles", "workflows", "config", "schemas", "skills"] {
            it.write(&format!("outside/{folder}/.keep"), "");
            symlink(
                it.folder.path().join("outside").join(folder),
                it.folder.path().join("home").join(folder),
            )
            .unwrap();
        }
        it.write("outside/workflows/stages/.keep", "");
        it.write("outside/skills/review/SKILL.md", "secret");
        for (part, [first, second], _, file) in kinds() {
            let put = it.put(&part, second, None);
            assert!(put.is_err(), "{part}: {put:?}");
            assert!(!it.folder.path().join("outside").join(file).exists(), "{part}");
            it.write(&format!("outside/{file}"), first);
            let read = it.part(&part);
            assert!(matches!(&read, Err(CatalogError::Invalid(_))), "{part}: {read:?}");
            assert!(it.put(&part, second, Some(&Version(String::new()))).is_err(), "{part}");
            assert!(block_on(it.catalog.delete_part(&part)).is_err(), "{part}");
            assert_eq!(it.read(&format!("outside/{file}")), first, "{part}");
        }
        let skill = block_on(it.catalog.skill("review"));
        assert!(matches!(&skill, Err(CatalogError::Invalid(_))), "{skill:?}");
        // Not even a folder is created there.
        assert!(it.put(&schema("schemas/new/folder/a.json"), "{}", None).is_err());
        assert!(!it.folder.path().join("outside/schemas/new").exists());
    }

    #[test]
    fn a_link_within_the_home_is_followed_and_stays_one() {
        let it = Fixture::new();
        it.write("home/shared/tester.md", "First.");
        it.write("home/roles/.keep", "");
        symlink("../shared/tester.md", it.folder.path().join("home/roles/tester.md")).unwrap();
        let read = it.part(&role("tester")).unwrap().unwrap();
        assert_eq!(read.text, "First.");
        it.put(&role("tester"), "Second.", Some(&read.version)).unwrap();
        assert_eq!(it.read("home/shared/tester.md"), "Second.");
        assert!(it.folder.path().join("home/roles/tester.md").is_symlink());
        block_on(it.catalog.delete_part(&role("tester"))).unwrap();
        assert_eq!(it.read("home/shared/tester.md"), "Second.");
    }

    #[test]
    fn a_skill_and_a_role_of_a_folder_beside_stay_in_that_folder() {
        let beside = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        write(outside.path(), "SKILL.md", "secret");
        write(outside.path(), "tester.md", "secret");
        fs::create_dir(beside.path().join("roles")).unwrap();
        fs::create_dir(beside.path().join("skills")).unwrap();
        symlink(outside.path(), beside.path().join("skills/review")).unwrap();
        symlink(outside.path().join("tester.md"), beside.path().join("roles/tester.md")).unwrap();
        let mut more = Folders::default();
        more.roles = vec![beside.path().join("roles")];
        more.skills = vec![beside.path().join("skills")];
        let it = Fixture::with(more);
        assert!(matches!(it.part(&role("tester")), Err(CatalogError::Invalid(_))));
        assert!(matches!(block_on(it.catalog.skill("review")), Err(CatalogError::Invalid(_))));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told_and_not_replaced() {
        let it = Fixture::new();
        it.write("home/roles/.keep", "");
        symlink("nowhere.md", it.folder.path().join("home/roles/tester.md")).unwrap();
        for result in [it.part(&role("tester")).map(drop), it.put(&role("tester"), "Mine.", None).map(drop)] {
            assert!(matches!(&result, Err(CatalogError::Invalid(_))), "{result:?}");
        }
        assert!(!it.folder.path().join("home/roles/nowhere.md").exists());
    }
}
