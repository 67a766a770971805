//! Choices that a seed determines, or octets.

/// Where choices come from. The same seed, or the same octets, give the same choices.
#[derive(Debug, Clone)]
pub(crate) enum Random {
    /// A generator of numbers (SplitMix64).
    Seed(u64),
    /// The octets that are left. After the last one, every choice is the first.
    Octets(Vec<u8>),
}

impl Random {
    /// Creates the generator of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self::Seed(seed)
    }

    /// Takes choices from octets, one for each choice of at most 256 things.
    pub(crate) fn of_octets(octets: &[u8]) -> Self {
        Self::Octets(octets.iter().rev().copied().collect())
    }

    /// Whether all octets are used.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self, Self::Octets(left) if left.is_empty())
    }

    fn next(&mut self, bound: u32) -> u64 {
        match self {
            Self::Seed(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                mixed ^ (mixed >> 31)
            }
            Self::Octets(left) => {
                let octets = if bound > 256 { 2 } else { 1 };
                (0..octets).fold(0, |number, _| number << 8 | u64::from(left.pop().unwrap_or_default()))
            }
        }
    }

    /// Returns a number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next(bound) % u64::from(bound.max(1))).unwrap_or_default()
    }

    /// Returns `true` in so many cases of a hundred.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Returns one of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(u32::try_from(from.len()).unwrap_or(1)) as usize]
    }
}
