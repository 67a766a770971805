//! Pseudo-random choices that are the same for the same seed.

/// Sebastiano Vigna's `SplitMix64`, which is small and good enough for names.
#[derive(Debug, Clone)]
pub(in crate::broker) struct Random(u64);

impl Random {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    pub(in crate::broker) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns `true` in this percentage of calls.
    pub(in crate::broker) fn happens(&mut self, percent: u8) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    /// A name such as `amq.gen-Xa1…`: a prefix and 22 letters, as in RabbitMQ.
    pub(in crate::broker) fn name(&mut self, prefix: &str) -> String {
        let mut name = String::from(prefix);
        let mut bits = 0;
        for at in 0..22 {
            if at % 10 == 0 {
                bits = self.next();
            }
            let letter = Self::ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'A');
            name.push(char::from(letter));
            bits >>= 6;
        }
        name
    }
}
