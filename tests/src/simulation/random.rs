//! Numbers that follow from a seed alone (SplitMix64), one stream for each purpose: taking a draw away from
//! one purpose changes no other, so that a run with fewer faults is otherwise the same run.

/// One stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this name.
    #[must_use]
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in stream.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(state)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.number() % end }
    }

    /// A number from `first` up to, and without, `end`.
    pub fn between(&mut self, first: i64, end: i64) -> i64 {
        let width = u64::try_from(end.saturating_sub(first)).unwrap_or(0);
        first + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// True so often in a million draws.
    pub fn chance(&mut self, in_a_million: u64) -> bool {
        self.below(1_000_000) < in_a_million
    }
}
