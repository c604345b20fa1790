#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torc_tests::fuzz::frames::worker_event(bytes));
