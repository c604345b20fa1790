//! The worker as torcd meets it: the real binary, its frames, and real processes.

mod ends;
mod extra;
mod files;
mod guard;
#[cfg(test)]
mod harness;
mod lanes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod output;
#[cfg(test)]
mod recovery;
mod running;
