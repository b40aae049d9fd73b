//! For those who write stores: the watchers of a store.

use std::sync::{Arc, Mutex};

use super::sync::lock;
use super::{Watcher, Watching};
use crate::ids::RunId;

/// Those who want to know of new controls.
#[derive(Clone, Default)]
pub struct Watchers(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    last: u64,
    watchers: Vec<(u64, Watcher)>,
}

impl Watchers {
    /// Adds one until the returned value is dropped.
    pub fn add(&self, watcher: Watcher) -> Watching {
        let mut list = lock(&self.0);
        list.last += 1;
        let key = list.last;
        list.watchers.push((key, watcher));
        Watching::new(Guard { list: Arc::clone(&self.0), key })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).watchers.is_empty()
    }

    /// Calls every one, outside of any lock.
    pub fn call(&self, run: Option<&RunId>) {
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
