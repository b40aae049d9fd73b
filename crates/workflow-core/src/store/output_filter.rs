//! Which output entries a window has.

use crate::ids::{NodeId, NodePath, StageId, Within};
use crate::output::{OutputEntry, OutputKind};
use crate::store::text::contains;

/// Which output entries of a run to read, from which end, and how many.
///
/// Without [`after`](Self::after) a window has the newest entries that the filter selects (below
/// [`before`](Self::before), where that is set); with it, the oldest after that number. Either way they are in the order
/// of their numbers.
///
/// ```
/// use workflow_core::output::OutputKind;
/// use workflow_core::store::OutputFilter;
///
/// let newest = OutputFilter::all().kind(OutputKind::Stderr).text("error").limit(100).counted();
/// let older = newest.clone().before(4_000);
/// assert_eq!(older.limit, Some(100));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputFilter {
    /// Only entries of one of these kinds; empty means any.
    pub kinds: Vec<OutputKind>,
    /// Only entries of this iteration.
    pub iteration: Option<u32>,
    /// Only entries of this stage.
    pub stage: Option<StageId>,
    /// Only entries of this lane, counted from 0.
    pub lane: Option<u32>,
    /// Only entries of nodes in this iteration of a loop.
    pub within: Option<Within>,
    /// Only entries of this node, and of its items; of a loop, those of the nodes in its body.
    pub node: Option<NodeId>,
    /// Only entries of this item of a `foreach` node, and of the items within it, or of this iteration of a loop; empty
    /// means any.
    pub items: Vec<u32>,
    /// Only entries of this attempt.
    pub attempt: Option<u32>,
    /// Only entries whose text contains this one. `A` to `Z` equal `a` to `z`; every other character equals only itself.
    pub text: Option<String>,
    /// Only entries with greater numbers: the first of them.
    pub after: Option<u64>,
    /// Only entries with smaller numbers: the last of them, unless `after` is set.
    pub before: Option<u64>,
    /// At most this many; `None` means all.
    pub limit: Option<usize>,
    /// Whether to count all entries that the filter selects. This reads all of the run's output.
    pub counted: bool,
    /// With `counted`: to note the number of each entry that completes a part of this many, for reading any part of the
    /// selection afterwards. Zero notes none.
    pub marks: u64,
}

/// A part of a run's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputWindow {
    /// The entries, in the order of their numbers. There are fewer than the limit only if no more are selected in that
    /// direction.
    pub entries: Vec<OutputEntry>,
    /// How many entries the filter selects in all of the run's output, whatever `after`, `before` and `limit` are; absent
    /// unless it was asked for.
    pub total: Option<u64>,
    /// Where each part of the selection ends, if the filter asks for it: the number of every n-th selected entry, in the
    /// order in which they are read. Backwards these are the numbers with which the parts begin, the last part first.
    pub marks: Vec<u64>,
}

impl OutputFilter {
    /// Every entry.
    pub fn all() -> Self {
        Self::default()
    }

    /// Selects only entries of this kind, or of one of the kinds that the filter has already.
    ///
    /// ```
    /// # use workflow_core::{output::OutputKind, store::OutputFilter};
    /// let said = OutputFilter::all().kind(OutputKind::Stdout).kind(OutputKind::Text);
    /// assert_eq!(said.kinds, [OutputKind::Stdout, OutputKind::Text]);
    /// ```
    #[must_use]
    pub fn kind(self, kind: OutputKind) -> Self {
        self.kinds([kind])
    }

    /// Selects only entries of one of these kinds, or of those that the filter has already.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = OutputKind>) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// Selects only entries of this iteration, counted from 1.
    #[must_use]
    pub fn iteration(mut self, iteration: u32) -> Self {
        self.iteration = Some(iteration);
        self
    }

    /// Selects only entries of this stage.
    #[must_use]
    pub fn stage(mut self, stage: StageId) -> Self {
        self.stage = Some(stage);
        self
    }

    /// Selects only entries of this lane, counted from 0.
    #[must_use]
    pub fn lane(mut self, lane: u32) -> Self {
        self.lane = Some(lane);
        self
    }

    /// Selects only entries of this node, in any stage unless one is set, and of its items.
    #[must_use]
    pub fn node(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Selects only entries of this item of a `foreach` node, and of the items within it.
    #[must_use]
    pub fn items(mut self, items: impl IntoIterator<Item = u32>) -> Self {
        self.items.extend(items);
        self
    }

    /// Selects only entries of the node or item at this path, and of the items within it.
    ///
    /// ```
    /// # use workflow_core::store::OutputFilter;
    /// let filter = OutputFilter::all().path(&"2/plan[0]/review[3]".parse()?);
    /// assert_eq!((filter.iteration, filter.items), (Some(2), vec![3]));
    /// # Ok::<(), workflow_core::ids::InvalidPath>(())
    /// ```
    #[must_use]
    pub fn path(mut self, path: &NodePath) -> Self {
        self.iteration = Some(path.iteration);
        self.stage = Some(path.stage.clone());
        self.lane = Some(path.lane);
        self.within = path.within.as_deref().cloned();
        self.node = Some(path.node.clone());
        self.items.clone_from(&path.items);
        self
    }

    /// Selects only entries of this attempt.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Selects only entries whose text contains this one; the case of ASCII letters does not matter.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Reads forwards: the first entries with numbers above this one.
    #[must_use]
    pub fn after(mut self, number: u64) -> Self {
        self.after = Some(number);
        self
    }

    /// Reads backwards: the last entries with numbers below this one.
    #[must_use]
    pub fn before(mut self, number: u64) -> Self {
        self.before = Some(number);
        self
    }

    /// Reads at most this many entries.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }

    /// Counts all entries that the filter selects as well.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Counts all entries that the filter selects, and notes the number of every n-th of them as well.
    #[must_use]
    pub fn marks(mut self, every: u64) -> Self {
        (self.counted, self.marks) = (true, every);
        self
    }

    /// Whether the filter selects this entry; `after`, `before` and `limit` do not matter.
    pub fn matches(&self, entry: &OutputEntry) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.attempt.is_none_or(|attempt| attempt == entry.attempt)
            && self.matches_path(&entry.path)
            && self.text.as_ref().is_none_or(|text| contains(&entry.text, text))
    }

    /// Whether the filter selects entries of the node or item at this path.
    pub fn matches_path(&self, path: &NodePath) -> bool {
        self.iteration.is_none_or(|iteration| iteration == path.iteration)
            && self.stage.as_ref().is_none_or(|stage| *stage == path.stage)
            && self.lane.is_none_or(|lane| lane == path.lane)
            && self.within.as_ref().is_none_or(|within| path.within.as_deref() == Some(within))
            && self.matches_node(path)
    }

    fn matches_node(&self, path: &NodePath) -> bool {
        match (&self.node, &path.within) {
            (Some(node), Some(within)) if *node == within.node => {
                self.items.is_empty() || self.items == [within.number]
            }
            (node, _) => {
                node.as_ref().is_none_or(|node| *node == path.node) && path.items.starts_with(&self.items)
            }
        }
    }
}
