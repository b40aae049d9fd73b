//! The watchers of a store.

use std::sync::{Arc, Mutex};

use workflow_core::ids::RunId;
use workflow_core::store::{Watcher, Watching};

use crate::sync::lock;

/// Those who want to know of new controls.
#[derive(Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    last: u64,
    watchers: Vec<(u64, Watcher)>,
}

impl Watchers {
    /// Adds one until the returned value is dropped.
    pub(crate) fn add(&self, watcher: Watcher) -> Watching {
        let mut list = lock(&self.0);
        list.last += 1;
        let key = list.last;
        list.watchers.push((key, watcher));
        Watching::new(Guard { list: Arc::clone(&self.0), key })
    }

    #[cfg(feature = "files")]
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).watchers.is_empty()
    }

    /// Calls every one, outside of any lock.
    pub(crate) fn call(&self, run: Option<&RunId>) {
        let watchers: Vec<Watcher> = lock(&self.0).watchers.iter().map(|(_, w)| Arc::clone(w)).collect();
        for watcher in watchers {
            watcher(run);
        }
    }
}

struct Guard {
    list: Arc<Mutex<List>>,
    key: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut list = lock(&self.list);
        let place = list.watchers.iter().position(|(key, _)| *key == self.key);
        let removed = place.map(|place| list.watchers.swap_remove(place));
        // What the watcher owns is dropped without the lock.
        drop(list);
        drop(removed);
    }
}
