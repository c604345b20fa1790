//! What a copy has cost, on its way from one process to the other.

use std::time::Duration;

use anyhow::Context;

/// What was measured while a copy was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// The longest that the owner of the database did nothing but copy.
    pub(crate) pause: Duration,
    /// What 99 of 100 transactions did not exceed.
    pub(crate) p99: Duration,
    /// The longest that one took.
    pub(crate) longest: Duration,
    /// Bytes of this process and of all memory file systems, beyond what there was before.
    pub(crate) memory: u64,
    /// From the wish to the name in its place.
    pub(crate) durable_after: Duration,
}

impl Measured {
    /// Returns the three waits as cells of a table.
    pub(crate) fn waits(&self) -> String {
        let cell = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1e3);
        format!("{} | {} | {}", cell(self.pause), cell(self.p99), cell(self.longest))
    }

    pub(crate) fn line(&self) -> String {
        let durations = [self.pause, self.p99, self.longest, self.durable_after];
        let [pause, p99, longest, durable] = durations.map(|duration| duration.as_micros());
        format!("{pause} {p99} {longest} {durable} {}", self.memory)
    }

    pub(crate) fn parse(line: &str) -> anyhow::Result<Self> {
        let numbers: Vec<u64> = line
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("'{line}' is no measurement"))?;
        let &[pause, p99, longest, durable, memory] = &numbers[..] else {
            anyhow::bail!("'{line}' is no measurement");
        };
        let [pause, p99, longest, durable_after] =
            [pause, p99, longest, durable].map(Duration::from_micros);
        Ok(Self { pause, p99, longest, memory, durable_after })
    }
}
