//! See `tekton_fuzz::references`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tekton_fuzz::references(data));
