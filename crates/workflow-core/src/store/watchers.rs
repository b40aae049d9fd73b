//! For implementors of stores: the watchers of a store.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::ids::RunId;
use crate::store::sync::lock;

/// What [`RunStore::watch`](super::RunStore::watch) calls: with the run that has a new control, or `None` if
/// it may be any run.
pub type Watcher = Arc<dyn Fn(Option<&RunId>) + Send + Sync>;

/// Keeps a [`Watcher`] registered; dropping it ends that.
pub struct Watching(#[allow(dead_code, reason = "held to be dropped")] Box<dyn Send + Sync>);

impl Watching {
    /// Wraps what unregisters the watcher when it is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watching")
    }
}

/// The registered watchers.
#[derive(Clone, Default)]
pub struct Watchers(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    last: u64,
    watchers: Vec<(u64, Watcher)>,
}

impl Watchers {
    /// Registers a watcher until the returned value is dropped.
    pub fn add(&self, watcher: Watcher) -> Watching {
        let mut list = lock(&self.0);
        list.last += 1;
        let key = list.last;
        list.watchers.push((key, watcher));
        Watching::new(Guard { list: Arc::clone(&self.0), key })
    }

    /// Whether no watcher is registered.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).watchers.is_empty()
    }

    /// Calls every watcher, outside of any lock.
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
