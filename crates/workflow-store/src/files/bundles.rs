//! `bundles/{hash}.json`: the bundles of runs, shared by runs with the same content.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::store::StoreError;

use crate::disk::{Content, at, replace, sync_dir, unfinished};
use crate::sync::lock;

pub(super) struct Bundles {
    directory: PathBuf,
    /// Bundles that were stored or read before.
    known: Mutex<HashSet<BundleHash>>,
}

impl Bundles {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, known: Mutex::default() }
    }

    pub(super) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    pub(super) fn load(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let path = self.path(hash);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NotFound(format!("bundle `{hash}`")));
            }
            text => text.map_err(at(&path))?,
        };
        let corrupt = |message: String| StoreError::Corrupt { place: path.display().to_string(), message };
        let text = String::from_utf8(text).map_err(|error| corrupt(error.to_string()))?;
        if BundleHash::of(&text) != *hash {
            return Err(corrupt(
                "the hash of the content differs from the file name: the file was changed or damaged"
                    .to_owned(),
            ));
        }
        let bundle = Bundle::from_json(&text).map_err(|error| corrupt(error.to_string()))?;
        Ok(Arc::new(bundle))
    }

    /// Stores a bundle, unless it is already stored and intact.
    pub(super) fn store(&self, hash: &BundleHash, bundle: &Bundle) -> Result<(), StoreError> {
        if lock(&self.known).contains(hash) {
            return Ok(());
        }
        let path = self.path(hash);
        let text = bundle.to_json().map_err(|error| at(&path)(error.into()))?;
        if BundleHash::of(&text) != *hash {
            return Err(StoreError::Corrupt {
                place: path.display().to_string(),
                message: "the hash of the bundle differs from the hash that the run names".to_owned(),
            });
        }
        if fs::read(&path).is_ok_and(|stored| stored == text.as_bytes()) {
            // The process that wrote it may have died before it synced the directory.
            sync_dir(&self.directory).map_err(at(&self.directory))?;
        } else {
            let temporary = self.directory.join(unfinished(hash.as_str()));
            replace(&path, &temporary, text.as_bytes(), Content::Private).map_err(at(&path))?;
        }
        lock(&self.known).insert(hash.clone());
        Ok(())
    }

    fn path(&self, hash: &BundleHash) -> PathBuf {
        self.directory.join(format!("{hash}.json"))
    }
}
