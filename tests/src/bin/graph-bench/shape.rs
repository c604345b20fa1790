//! The graphs.

use torc_protocol::spec::{Command, JobSpec};

/// How many dependencies a job of a random graph has.
const DEGREE: u32 = 3;
/// How many jobs a layer of a random graph has.
const LAYER: u32 = 1_000;

/// What a graph looks like.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Each job waits for the one before it.
    Chain,
    /// All but two wait for the first, and the last for all of them.
    Fan,
    /// Layers of jobs that each wait for three random ones of the layer before.
    Layers,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Layers => "layers",
        }
    }

    /// Returns the jobs of a graph with so many.
    pub(crate) fn jobs(self, jobs: u32) -> impl Iterator<Item = JobSpec> {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        (0..jobs).map(move |place| JobSpec {
            name: format!("job{place}"),
            command: Command::Line("true".to_owned()),
            depends_on: match self {
                Self::Chain => (place > 0).then(|| place - 1).into_iter().collect(),
                Self::Fan if place == 0 => Vec::new(),
                Self::Fan if place == jobs - 1 => (1..place).collect(),
                Self::Fan => vec![0],
                Self::Layers => random.of_the_layer_before(place),
            },
            ..JobSpec::default()
        })
    }
}

/// A small generator (xorshift64*): the same graph on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % u64::from(limit)) as u32
    }

    fn of_the_layer_before(&mut self, place: u32) -> Vec<u32> {
        let Some(before) = (place / LAYER).checked_sub(1) else { return Vec::new() };
        (0..DEGREE).map(|_| before * LAYER + self.below(LAYER)).collect()
    }
}
