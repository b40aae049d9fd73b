//! Roles, profiles, schemas, assignments and skills as files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use workflow_core::bundle::{BundleHash, Skill};
use workflow_core::catalog::{CatalogError, Part, PartKind, Text, Version, is_schema_name};
use workflow_core::definition::{
    Diagnostic, Diagnostics, parse_assignments, parse_notifications, parse_profile, parse_providers,
    parse_role, read_schema,
};
use workflow_core::ids::{ProfileId, RoleId, StageId, is_id};

use super::{Folder, LARGEST, Unreadable, at, inside, read_within, too_large, unwritable};
use crate::disk::{Content, create_dir_all, replace, sync_dir, take_turn, unfinished};

/// The folder of profiles, relative to the home.
const PROFILES: &str = "workflows/stages";
const ROLES: &str = "roles";
const SKILLS: &str = "skills";
/// The file of a skill, in its folder.
const SKILL: &str = "SKILL.md";
const ENDINGS: [&str; 2] = ["yml", "yaml"];

impl Folder {
    pub(super) fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
        let mut found = BTreeSet::new();
        match kind {
            PartKind::Roles => {
                let own = self.home.join(ROLES);
                for folder in [&own].into_iter().chain(&self.more.roles) {
                    for name in names(folder)? {
                        // A README describes the folder.
                        let stem =
                            name.strip_suffix(".md").filter(|stem| !stem.eq_ignore_ascii_case("readme"));
                        let id = stem.and_then(|stem| RoleId::new(stem).ok());
                        found.extend(id.map(Part::Role));
                    }
                }
            }
            PartKind::Profiles => {
                for name in names(&self.home.join(PROFILES))? {
                    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'));
                    let ids = stem.and_then(|stem| stem.split_once('.')).and_then(|(stage, profile)| {
                        Some((StageId::new(stage).ok()?, ProfileId::new(profile).ok()?))
                    });
                    found.extend(ids.map(|(stage, profile)| Part::Profile(stage, profile)));
                }
            }
            PartKind::Skills => {
                let own = self.home.join(SKILLS);
                for folder in [&own].into_iter().chain(&self.more.skills) {
                    for name in names(folder)? {
                        let is_own_file = folder == &own && folder.join(&name).is_file();
                        let id = match name.strip_suffix(".json").filter(|_| is_own_file) {
                            Some(id) => Some(id),
                            None => {
                                Some(name.as_str()).filter(|name| folder.join(name).join(SKILL).is_file())
                            }
                        };
                        found.extend(id.filter(|id| is_id(id)).map(|id| Part::Skill(id.to_owned())));
                    }
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    pub(super) fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        Ok(self.find(part)?.map(|(_, text)| text))
    }

    /// The file of a part, and its text. The home takes precedence over the read-only folders.
    fn find(&self, part: &Part) -> Result<Option<(PathBuf, Text)>, CatalogError> {
        let own = places(part)?.into_iter().map(|place| (self.home.as_path(), self.home.join(place)));
        let (folders, name) = match part {
            Part::Role(id) => (self.more.roles.as_slice(), PathBuf::from(format!("{id}.md"))),
            Part::Skill(name) => (self.more.skills.as_slice(), Path::new(name).join(SKILL)),
            _ => (&[][..], PathBuf::new()),
        };
        let more = folders.iter().map(|folder| (folder.as_path(), folder.join(&name)));
        for (root, path) in own.chain(more) {
            match read_within(root, &path) {
                Ok(text) => return Ok(Some((path.clone(), self.text(&path, text)))),
                Err(Unreadable::Io(error)) if is_absent(&error) => {}
                Err(Unreadable::Io(error)) => return Err(at(&self.show(&path))(error)),
                Err(Unreadable::Problem(problem)) => {
                    let shown = self.show(&path);
                    return Err(CatalogError::Invalid(format!("{}: {problem}", shown.display())));
                }
            }
        }
        Ok(None)
    }

    pub(super) fn put_part(
        &self,
        part: &Part,
        text: String,
        read: Option<&Version>,
    ) -> Result<Text, CatalogError> {
        check(part, &text)?;
        let places = places(part)?;
        // A skill in the form of the desktop app is a file of its own.
        let first = usize::from(matches!(part, Part::Skill(_)) && is_of_app(&text));
        let default = self.home.join(&places[first]);
        let folder = default.parent().unwrap_or(&self.home).to_owned();
        self.make(&folder).map_err(at(&self.show(&folder)))?;
        let _turn = self.turn_in(&folder)?;
        let path = match (self.find(part)?, read) {
            (None, Some(_)) => return Err(CatalogError::NotFound(part.to_string())),
            (Some((path, _)), None) if path.starts_with(&self.home) => {
                return Err(CatalogError::Exists(part.to_string()));
            }
            // A part in the home hides one in a read-only folder.
            (None | Some(_), None) => default,
            (Some((path, _)), Some(_)) if !path.starts_with(&self.home) => {
                return Err(CatalogError::ReadOnly(part.to_string()));
            }
            (Some((_, found)), Some(read)) if found.version != *read => {
                return Err(CatalogError::Stale(part.to_string()));
            }
            (Some((path, _)), Some(_)) => path,
        };
        self.replace(&path, &text).map_err(at(&self.show(&path)))?;
        Ok(self.text(&path, text))
    }

    /// Creates a folder in the home, unless an existing part of its path leads out of the home.
    fn make(&self, folder: &Path) -> io::Result<()> {
        let there =
            folder.ancestors().take_while(|part| part.starts_with(&self.home)).find(|part| part.exists());
        if let Some(there) = there {
            inside(&self.home, there)?;
        }
        create_dir_all(folder)
    }

    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        // A symbolic link within the home is kept; a write through a link that leads out is refused.
        let path = if path.is_symlink() { inside(&self.home, path)? } else { path.to_owned() };
        inside(&self.home, path.parent().unwrap_or(&self.home))?;
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("part").to_owned();
        replace(&path, &path.with_file_name(unfinished(&name)), text.as_bytes(), Content::Personal)
    }

    pub(super) fn delete_part(&self, part: &Part) -> Result<(), CatalogError> {
        let Some((path, _)) = self.find(part)? else { return Err(CatalogError::NotFound(part.to_string())) };
        if !path.starts_with(&self.home) {
            return Err(CatalogError::ReadOnly(part.to_string()));
        }
        let folder = path.parent().unwrap_or(&self.home).to_owned();
        let _turn = self.turn_in(&folder)?;
        fs::remove_file(&path).and_then(|()| sync_dir(&folder)).map_err(at(&self.show(&path)))?;
        if path.ends_with(SKILL) {
            // The folder stays where there are other files in it.
            let _ = fs::remove_dir(&folder);
        }
        Ok(())
    }

    pub(super) fn read_only(&self, part: &Part) -> Result<Option<String>, CatalogError> {
        let Some((path, _)) = self.find(part)? else { return Ok(None) };
        let folder = path.parent().unwrap_or(&self.home);
        if !path.starts_with(&self.home) {
            return Ok(Some(format!(
                "it is in the folder {}, which is only read",
                self.show(folder).display()
            )));
        }
        Ok(unwritable(folder, &self.show(folder)))
    }

    pub(super) fn skill(&self, name: &str) -> Result<Option<Skill>, CatalogError> {
        if !is_id(name) {
            return Ok(None);
        }
        let own = self.home.join(SKILLS);
        for root in [&own].into_iter().chain(&self.more.skills) {
            let folder = root.join(name);
            let path = folder.join(SKILL);
            let root = if *root == own { &self.home } else { root };
            match read_within(root, &path) {
                Ok(text) => return Ok(Some(Skill { text, folder: Some(folder.display().to_string()) })),
                Err(Unreadable::Io(error)) if is_absent(&error) => {}
                Err(error) => return Err(self.unreadable(&path, error)),
            }
        }
        let path = own.join(format!("{name}.json"));
        match read_within(&self.home, &path) {
            Ok(text) => self.skill_of_app(&path, &text).map(Some),
            Err(Unreadable::Io(error)) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.unreadable(&path, error)),
        }
    }

    /// Reads a skill in the desktop app's format: an object with the text in `instructions`.
    fn skill_of_app(&self, path: &Path, text: &str) -> Result<Skill, CatalogError> {
        match app_skill(text) {
            Ok(instructions) => Ok(Skill { text: instructions, folder: None }),
            Err(error) => {
                let message = format!("{}: not a skill: {error}", self.show(path).display());
                Err(CatalogError::Invalid(message))
            }
        }
    }

    fn unreadable(&self, path: &Path, error: Unreadable) -> CatalogError {
        match error {
            Unreadable::Io(error) => at(&self.show(path))(error),
            Unreadable::Problem(problem) => {
                CatalogError::Invalid(format!("{}: {problem}", self.show(path).display()))
            }
        }
    }

    fn text(&self, path: &Path, text: String) -> Text {
        let version = Version(BundleHash::of(&text).as_str().to_owned());
        Text { origin: self.show(path).display().to_string(), text, version }
    }

    /// A path as the host named it.
    fn show(&self, path: &Path) -> PathBuf {
        let shown_home = self.shown.parent().unwrap_or(&self.shown);
        path.strip_prefix(&self.home).map_or_else(|_| path.to_owned(), |rest| shown_home.join(rest))
    }

    fn turn_in(&self, folder: &Path) -> Result<Option<File>, CatalogError> {
        if !cfg!(unix) {
            return Ok(None);
        }
        let take = || {
            let folder = File::open(inside(&self.home, folder)?)?;
            take_turn(&folder)?;
            Ok(Some(folder))
        };
        take().map_err(at(&self.show(folder)))
    }
}

/// The possible files of a part in the home; a new part is written to the first.
fn places(part: &Part) -> Result<Vec<PathBuf>, CatalogError> {
    Ok(match part {
        Part::Role(id) => vec![Path::new(ROLES).join(format!("{id}.md"))],
        Part::Profile(stage, profile) => {
            ENDINGS.map(|ending| Path::new(PROFILES).join(format!("{stage}.{profile}.{ending}"))).to_vec()
        }
        Part::Assignments => {
            ENDINGS.map(|ending| PathBuf::from(format!("config/assignments.{ending}"))).to_vec()
        }
        Part::Providers => ENDINGS.map(|ending| PathBuf::from(format!("config/providers.{ending}"))).to_vec(),
        Part::Notifications => {
            ENDINGS.map(|ending| PathBuf::from(format!("config/notify.{ending}"))).to_vec()
        }
        Part::Schema(name) => {
            let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', ':']);
            if !name.split('/').all(is_plain) {
                let message = format!("`{name}` is not the name of a file inside the home");
                return Err(CatalogError::Invalid(message));
            }
            vec![PathBuf::from(name)]
        }
        Part::Skill(name) => {
            if !is_id(name) {
                return Err(CatalogError::Invalid(format!("`{name}` is not the name of a skill")));
            }
            let folder = Path::new(SKILLS);
            vec![folder.join(name).join(SKILL), folder.join(format!("{name}.json"))]
        }
    })
}

/// The instructions in a skill of the desktop app.
fn app_skill(text: &str) -> Result<String, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct File {
        instructions: String,
    }
    Ok(serde_json::from_str::<File>(text)?.instructions)
}

/// Whether the text of a skill is a file of the desktop app.
fn is_of_app(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Refuses a text that is not a valid part of that kind.
fn check(part: &Part, text: &str) -> Result<(), CatalogError> {
    if text.len() as u64 > LARGEST {
        return Err(CatalogError::Invalid(too_large(text.len() as u64)));
    }
    let diagnostics = match part {
        Part::Role(id) => parse_role(text.as_bytes(), Some(id)).diagnostics,
        Part::Profile(..) => parse_profile(text.as_bytes(), None).diagnostics,
        Part::Assignments => parse_assignments(text.as_bytes()).diagnostics,
        Part::Providers => parse_providers(text.as_bytes()).diagnostics,
        Part::Notifications => parse_notifications(text.as_bytes()).diagnostics,
        Part::Schema(name) => {
            if !is_schema_name(name) {
                let message = format!("a schema is not written to `{name}`: put it into `schemas`");
                return Err(CatalogError::Invalid(message));
            }
            read_schema(text.as_bytes()).err().unwrap_or_default()
        }
        Part::Skill(_) if is_of_app(text) => {
            let problem = app_skill(text).err().map(|error| format!("not a skill: {error}"));
            problem.map(|problem| Diagnostic::error("bad-file", "", problem)).into_iter().collect()
        }
        Part::Skill(_) => Vec::new(),
    };
    let errors: Vec<_> = diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(Diagnostics(errors).to_string())) }
}

/// The names of the entries of a folder, which may be missing.
fn names(folder: &Path) -> Result<Vec<String>, CatalogError> {
    match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        entries => {
            let entries = entries.map_err(at(folder))?;
            let names = entries.map(|entry| Ok(entry.map_err(at(folder))?.file_name().into_string().ok()));
            Ok(names.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
    }
}

/// Whether the error means that the file does not exist, also because a parent of its path is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
