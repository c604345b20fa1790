//! Makes bytes out of bytes, in the same way each time.

/// What means something to one reader or another.
const WORDS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"\\u",
    b"\n",
    b"\n  ",
    b": ",
    b"- ",
    b"&a ",
    b"*a ",
    b"<<: ",
    b"{i:03d}",
    b"1:99",
    b"1e999",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x01",
    b"\xc3\xa9",
    b"#\"",
    b"/*",
    b"${files.input.f}",
];

/// Generates mutations from a seed.
#[derive(Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// Returns the generator of a name: another name, other mutations.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(name.bytes().fold(0x9E37_79B9_7F4A_7C15, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        }))
    }

    /// Returns a number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // SplitMix64: all that is wanted is that it is no pattern.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((word ^ (word >> 31)) % limit as u64) as usize
    }

    /// Returns `bytes` with a few changes, some of them taken from `other`.
    pub fn mutate(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut mutated = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(mutated.len() + 1);
            let end = (at + 1 + self.below(16)).min(mutated.len());
            match self.below(6) {
                0 if at < mutated.len() => mutated[at] ^= 1 << self.below(8),
                1 if at < mutated.len() => mutated[at] = [0, 1, 0x7F, 0x80, 0xFF][self.below(5)],
                2 => drop(mutated.drain(at..end)),
                3 => {
                    let again = mutated[at..end].to_vec();
                    mutated.splice(at..at, again);
                }
                4 if !other.is_empty() => {
                    let from = self.below(other.len());
                    let to = (from + 1 + self.below(40)).min(other.len());
                    mutated.splice(at..end, other[from..to].iter().copied());
                }
                _ => {
                    let word = WORDS[self.below(WORDS.len())];
                    mutated.splice(at..at, word.iter().copied());
                }
            }
        }
        mutated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_differ_and_are_the_same_each_time() {
        let some = |name| {
            let mut mutator = Mutator::of(name);
            (0..50).map(|_| mutator.mutate(b"name: x", b"jobs: []")).collect::<Vec<_>>()
        };
        assert_eq!(some("a"), some("a"));
        assert_ne!(some("a"), some("b"));
        assert!(some("a").iter().filter(|bytes| **bytes != b"name: x").count() > 40);
    }
}
