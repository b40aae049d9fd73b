//! The secrets, made ready to be looked for.

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, BuildError, MatchKind};

use crate::redact::secret::SHORTEST_LINE;

/// An automaton that is taken one byte further at a time, so that a secret may come in pieces.
pub(super) struct Matcher {
    automaton: NFA,
    start: StateID,
    /// For each state of the automaton, how many bytes of a secret were matched.
    depths: Vec<u32>,
    /// The bytes that a secret can begin with: with all others the automaton stays where it starts.
    first: [bool; 256],
    /// The length of the longest secret.
    pub(super) longest: usize,
    /// A secret may be a number, which can be written in several ways.
    pub(super) has_number: bool,
}

impl Matcher {
    /// None if there is no secret.
    pub(super) fn new<S: AsRef<str>>(
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Option<Self>, BuildError> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            for part in std::iter::once(secret).chain(lines) {
                let pattern: Vec<u8> = part.bytes().filter(|byte| !is_line_end(*byte)).collect();
                // In a form of HTML `+` is a space.
                let plus = pattern.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect();
                for pattern in [pattern, plus] {
                    if !pattern.is_empty() && !patterns.contains(&pattern) {
                        patterns.push(pattern);
                    }
                }
            }
        }
        if patterns.is_empty() {
            return Ok(None);
        }
        let mut builder = NFA::builder();
        let automaton = builder.match_kind(MatchKind::Standard).prefilter(false).build(&patterns)?;
        // An automaton of this kind has both starts.
        let Ok(start) = automaton.start_state(Anchored::No) else { return Ok(None) };
        let mut depths = Vec::new();
        for pattern in &patterns {
            let mut state = start;
            for (depth, byte) in (1..).zip(pattern) {
                state = automaton.next_state(Anchored::No, state, *byte);
                if depths.len() <= state.as_usize() {
                    depths.resize(state.as_usize() + 1, 0);
                }
                depths[state.as_usize()] = depth;
            }
        }
        let mut first = [false; 256];
        for pattern in &patterns {
            first[usize::from(pattern[0])] = true;
        }
        let is_numeric = |byte: &u8| byte.is_ascii_digit() || b"+-.".contains(byte);
        let has_number = patterns.iter().any(|pattern| pattern.iter().all(is_numeric));
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Some(Self { automaton, start, depths, first, longest, has_number }))
    }

    pub(super) fn start(&self) -> StateID {
        self.start
    }

    pub(super) fn can_begin_with(&self, byte: u8) -> bool {
        self.first[usize::from(byte)]
    }

    /// The state after one more byte, and how many bytes of a secret are matched then.
    pub(super) fn next(&self, state: StateID, byte: u8) -> (StateID, usize) {
        let state = self.automaton.next_state(Anchored::No, state, byte);
        (state, self.depths.get(state.as_usize()).map_or(0, |depth| *depth as usize))
    }

    /// The length of the longest secret that ends in a state.
    pub(super) fn ends(&self, state: StateID) -> Option<usize> {
        if !self.automaton.is_match(state) {
            return None;
        }
        let ending = 0..self.automaton.match_len(state);
        ending.map(|n| self.automaton.pattern_len(self.automaton.match_pattern(state, n))).max()
    }
}

pub(super) fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
