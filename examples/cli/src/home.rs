//! The home: the directory of the workflows, and where stages work.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use workflow_core::definition::parse_providers;

use crate::error::Error;

/// The name of a home, unless `--home` names another.
const NAME: &str = ".orch";
/// What git is to ignore in a home: all that the program stores. Definitions are the user's to commit.
const IGNORED: &str = "\
# Stored runs and worktrees. Workflows, roles, skills and schemas are yours to commit.
/runs.db*
/runs/
/bundles/
/store-id
/worktrees/
/serve-token
";

/// A home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// Its directory.
    pub path: PathBuf,
    /// Where stages work: the directory that has the home, where it was found, and the current one otherwise.
    pub root: PathBuf,
    /// Folders of roles beside the home's own, which are only read.
    pub roles: Vec<PathBuf>,
}

impl Home {
    /// The home of that path. Without one it is `.orch` in the current directory or in the nearest directory above,
    /// up to the root of the git repository or the user's home directory, that has one of this user.
    pub(crate) fn find(named: Option<&Path>) -> Self {
        if let Some(path) = named {
            return Self { path: path.to_owned(), root: PathBuf::from("."), roles: Vec::new() };
        }
        let user = std::env::home_dir().and_then(|directory| directory.canonicalize().ok());
        let current = std::env::current_dir().and_then(|directory| directory.canonicalize());
        // Without a current directory, the first use of the home fails and reports it.
        current.map_or_else(|_| Self::in_directory(""), |current| Self::above(&current, user.as_deref()))
    }

    fn above(current: &Path, user: Option<&Path>) -> Self {
        let mut way = String::new();
        for directory in current.ancestors() {
            // In the current directory the home may belong to any user. In a directory above, which the user did not
            // choose, it must belong to this user.
            let home = directory.join(NAME);
            let found = if way.is_empty() { home.exists() } else { is_own_directory(&home) };
            if found {
                return Self::in_directory(&way);
            }
            if directory.join(".git").exists() || user == Some(directory) {
                break;
            }
            way.push_str("../");
        }
        Self::in_directory("")
    }

    fn in_directory(way: &str) -> Self {
        let root = if way.is_empty() { "." } else { way }.into();
        Self { path: format!("{way}{NAME}").into(), root, roles: Vec::new() }
    }

    /// Whether it is a home of the desktop app, whose workflows rely on the defaults of coding agents: it has the file
    /// `config/providers.yml`, and not only settings of this engine in it.
    pub(crate) fn is_of_app(&self) -> bool {
        let Ok(text) = fs::read(self.path.join("config/providers.yml")) else { return false };
        let settings = parse_providers(&text).settings;
        settings.is_none_or(|settings| settings.is_empty() || !settings.with_command.is_empty())
    }

    /// The names in `config/providers.yml` that have a command of the desktop app, with the providers that make their
    /// calls.
    pub(crate) fn commands_of_app(&self) -> Vec<(String, String)> {
        let Ok(text) = fs::read(self.path.join("config/providers.yml")) else { return Vec::new() };
        let Some(settings) = parse_providers(&text).settings else { return Vec::new() };
        let names = settings.with_command.iter();
        names.map(|name| (name.clone(), settings.registered(name).to_owned())).collect()
    }

    /// The folders of roles that the file `config/roles.yml` of the home lists under `folders`: paths from the home, or
    /// whole ones.
    pub(crate) fn configured_roles(&self) -> Result<Vec<PathBuf>, Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a mapping with `folders`")]
        struct Config {
            folders: Vec<PathBuf>,
        }
        let path = self.path.join("config/roles.yml");
        let failed = |source| Error::File { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            text => text.map_err(failed)?,
        };
        let config: Config = serde_yaml::from_str(&text)
            .map_err(|error| failed(std::io::Error::new(ErrorKind::InvalidData, error)))?;
        Ok(config.folders.into_iter().map(|folder| self.path.join(folder)).collect())
    }

    /// What an agent must not change: all but the worktrees, in which it may be working.
    pub(crate) fn own_files(&self) -> Vec<PathBuf> {
        let names = [
            "runs.db*",
            "runs",
            "bundles",
            "store-id",
            "workflows",
            "roles",
            "config",
            "schemas",
            "skills",
            "serve-token",
        ];
        names.into_iter().map(|name| self.path.join(name)).collect()
    }

    /// The home that `init` makes: in the current directory, unless it was named.
    pub(crate) fn here(named: Option<&Path>) -> Self {
        named.map_or_else(|| Self::in_directory(""), |path| Self::find(Some(path)))
    }
}

/// Whether it is a directory, not a link to one, that belongs to the user who runs this program.
fn is_own_directory(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == user)
}

/// Creates a home with a `.gitignore`, unless it exists.
pub(crate) fn make(home: &Path) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::File { path: path.to_owned(), source };
    if let Some(parent) = home.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    }
    match fs::create_dir(home) {
        Ok(()) => {
            let file = home.join(".gitignore");
            fs::write(&file, IGNORED).map_err(|error| failed(&file, error))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(home, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_found_above_but_not_above_the_repository_or_the_users_home() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let make = |path: &str| fs::create_dir_all(base.join(path)).unwrap();
        ["user/.orch", "user/plain/deep", "user/own/.orch", "user/own/a/b", "user/git/.git", "user/git/a"]
            .into_iter()
            .for_each(make);
        std::os::unix::fs::symlink(base.join("user/.orch"), base.join("user/plain/.orch")).unwrap();
        for (current, user, found) in [
            ("user", "user", ".orch"),
            ("user/own", "user", ".orch"),
            ("user/own/a/b", "user", "../../.orch"),
            ("user/git/a", "user", ".orch"),
            ("user/git", "user", ".orch"),
            // The symbolic link beside it does not count.
            ("user/plain/deep", "user", "../../.orch"),
            ("user/plain/deep", "user/plain", ".orch"),
        ] {
            let home = Home::above(&base.join(current), Some(&base.join(user)));
            assert_eq!(home.path, PathBuf::from(found), "{current}");
        }
    }
}
