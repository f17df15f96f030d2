//! See `tekton_fuzz::migrate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tekton_fuzz::migrate(data));
