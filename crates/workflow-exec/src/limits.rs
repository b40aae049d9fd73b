//! How many calls of a provider may run at once: shared by runs, and with the host's own work.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use futures::channel::oneshot;

/// Limits per provider. Share one among engines, and take [slots](Place) for work of your own.
///
/// Slots are given out in the order of the requests.
///
/// ```
/// use workflow_exec::Limits;
///
/// let limits = Limits::new().limit("claude-code", 1);
/// let slot = limits.try_acquire("claude-code");
/// assert!(slot.is_some() && limits.try_acquire("claude-code").is_none());
/// drop(slot);
/// assert!(limits.try_acquire("claude-code").is_some());
/// ```
#[derive(Debug, Default)]
pub struct Limits {
    gates: HashMap<Arc<str>, Arc<Gate>>,
}

/// A slot for one call; dropping it frees the slot.
#[derive(Debug)]
pub struct Place(Option<Arc<Gate>>);

/// A limit, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitUsage {
    /// The provider.
    pub provider: Arc<str>,
    /// How many calls may run at once.
    pub limit: usize,
    /// How many slots are taken.
    pub used: usize,
    /// How many requests wait for a slot.
    pub queued: usize,
}

#[derive(Debug)]
struct Gate {
    limit: usize,
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

impl Limits {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most `limit` calls of `provider` at once; at least one.
    #[must_use]
    pub fn limit(mut self, provider: impl Into<Arc<str>>, limit: usize) -> Self {
        let gate = Gate { limit: limit.max(1), state: Mutex::default() };
        self.gates.insert(provider.into(), Arc::new(gate));
        self
    }

    /// The limits, by provider, and how much of each is used.
    pub fn usage(&self) -> Vec<LimitUsage> {
        let mut usage: Vec<_> = self
            .gates
            .iter()
            .map(|(provider, gate)| {
                let state = gate.lock();
                let queued = state.waiting.iter().filter(|request| !request.is_canceled()).count();
                LimitUsage { provider: provider.clone(), limit: gate.limit, used: state.taken, queued }
            })
            .collect();
        usage.sort_by(|a, b| a.provider.cmp(&b.provider));
        usage
    }

    /// Takes a slot if one is free and no other request is queued.
    pub fn try_acquire(&self, provider: &str) -> Option<Place> {
        let Some(gate) = self.gates.get(provider) else { return Some(Place(None)) };
        let mut state = gate.lock();
        (state.taken < gate.limit && state.waiting.is_empty()).then(|| {
            state.taken += 1;
            Place(Some(gate.clone()))
        })
    }

    /// Waits for a slot. The request is queued at once, before the future is polled; dropping the future
    /// removes it.
    pub fn acquire(&self, provider: &str) -> impl Future<Output = Place> + Send + use<> {
        let place = self.try_acquire(provider);
        let turn = match &place {
            Some(_) => None,
            None => self.gates.get(provider).map(|gate| {
                let (sender, receiver) = oneshot::channel();
                gate.lock().waiting.push_back(sender);
                // A slot may have become free since the first try.
                gate.hand_out();
                receiver
            }),
        };
        async move {
            match (place, turn) {
                (Some(place), _) => place,
                (None, Some(turn)) => match turn.await {
                    Ok(place) => place,
                    // The sender is dropped only together with the limits themselves.
                    Err(oneshot::Canceled) => Place(None),
                },
                (None, None) => Place(None),
            }
        }
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, GateState> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free slots to the requests that have waited longest.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.taken >= self.limit {
                    return;
                }
                let Some(next) = state.waiting.pop_front() else { return };
                state.taken += 1;
                next
            };
            if let Err(mut refused) = next.send(Place(Some(self.clone()))) {
                // The waiting future was dropped; the slot is taken back without handing out slots
                // recursively.
                refused.0 = None;
                self.lock().taken -= 1;
            }
        }
    }
}

impl Place {
    /// One that no limit has.
    pub(crate) fn unlimited() -> Self {
        Self(None)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.lock().taken -= 1;
            gate.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn places_are_given_in_the_order_they_were_asked_for() {
        let limits = Limits::new().limit("codex", 2);
        let first = limits.try_acquire("codex").unwrap();
        let second = limits.try_acquire("codex").unwrap();
        assert!(limits.try_acquire("codex").is_none());
        let mut third = Box::pin(limits.acquire("codex"));
        let mut fourth = Box::pin(limits.acquire("codex"));
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(limits.try_acquire("codex").is_none(), "a newcomer does not overtake");
        assert!(fourth.as_mut().now_or_never().is_none());
        let third = third.now_or_never().unwrap();
        drop((second, third));
        assert!(fourth.now_or_never().is_some());
        assert!(limits.try_acquire("codex").is_some());
    }

    #[test]
    fn who_stops_waiting_loses_no_place() {
        let limits = Limits::new().limit("codex", 1);
        let first = limits.try_acquire("codex").unwrap();
        let gone = limits.acquire("codex");
        let used = LimitUsage { provider: "codex".into(), limit: 1, used: 1, queued: 1 };
        assert_eq!(limits.usage(), [used]);
        let granted_and_gone = limits.acquire("codex");
        let last = limits.acquire("codex");
        drop(gone);
        assert_eq!(limits.usage()[0].queued, 2);
        drop(first);
        drop(granted_and_gone);
        assert!(last.now_or_never().is_some());
        assert!(limits.try_acquire("codex").is_some());
    }

    #[test]
    fn what_has_no_limit_is_always_free() {
        let limits = Limits::new();
        let places: Vec<_> = (0..100).map(|_| limits.try_acquire("any").unwrap()).collect();
        assert_eq!(places.len(), 100);
        assert!(limits.acquire("any").now_or_never().is_some());
    }
}
