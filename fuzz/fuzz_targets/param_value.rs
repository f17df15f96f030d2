//! See `tekton_fuzz::param_value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tekton_fuzz::param_value(data));
