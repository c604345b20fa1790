//! Numbers that look random and follow from a seed alone: SplitMix64.

use std::ops::RangeInclusive;

/// A source of numbers. The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Returns the source for a round of a seed. Rounds do not depend on each other.
    pub(crate) fn new(seed: u64, round: u64) -> Self {
        let mut rng = Self(seed ^ round.wrapping_mul(0xD1B5_4A32_D192_ED03));
        rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in `range`.
    pub(crate) fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let span = u64::from(range.end() - range.start()) + 1;
        range.start() + (self.next() % span) as u32
    }

    /// Returns true `times` of `of` times.
    pub(crate) fn chance(&mut self, times: u32, of: u32) -> bool {
        self.within(1..=of) <= times
    }

    /// Returns one of `choices`, each as often as its weight says.
    pub(crate) fn pick<T: Clone>(&mut self, choices: &[(u32, T)]) -> T {
        let total = choices.iter().map(|(weight, _)| weight).sum::<u32>();
        let mut ticket = self.within(1..=total);
        for (weight, choice) in choices {
            if ticket <= *weight {
                return choice.clone();
            }
            ticket -= weight;
        }
        unreachable!("the weights are what they were")
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_another_round_others() {
        let numbers = |seed, round| {
            let mut rng = Rng::new(seed, round);
            (0..8).map(|_| rng.within(0..=u32::MAX)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, 3), numbers(7, 3));
        assert_ne!(numbers(7, 3), numbers(7, 4));
        assert_ne!(numbers(7, 3), numbers(8, 3));
    }

    #[test]
    fn choices_come_as_often_as_they_weigh() {
        let mut rng = Rng::new(1, 1);
        let picked: Vec<_> =
            (0..4_000).map(|_| rng.pick(&[(3, 'a'), (1, 'b'), (0, 'c')])).collect();
        let count = |letter| picked.iter().filter(|one| **one == letter).count();
        assert!((2_800..3_200).contains(&count('a')), "{}", count('a'));
        assert_eq!(count('c'), 0);
    }
}
