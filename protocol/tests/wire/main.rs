//! The wire protocol as others see it: its bytes, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod codec;
mod golden;
mod json;
mod message;
mod secrets;
