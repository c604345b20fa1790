//! The worker as torcd meets it: the real binary, its frames, and real processes.

mod ends;
#[cfg(test)]
mod harness;
mod lanes;
mod output;
mod running;
