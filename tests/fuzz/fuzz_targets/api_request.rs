#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| torc_tests::fuzz::text::api_request(bytes));
