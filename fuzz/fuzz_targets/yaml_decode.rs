//! See `tekton_fuzz::yaml_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tekton_fuzz::yaml_decode(data));
