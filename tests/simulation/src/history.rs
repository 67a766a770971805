//! A sum of everything that happened, which tells one run from another.

/// A sum of bytes in their order (FNV-1a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History(u64);

impl Default for History {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl History {
    /// Adds bytes, and where they were.
    pub fn add(&mut self, place: u64, bytes: &[u8]) {
        let place = place.to_be_bytes();
        self.0 =
            place.iter().chain(bytes).fold(self.0, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3));
    }

    /// Returns the sum.
    pub fn sum(self) -> u64 {
        self.0
    }
}
