//! See `tekton_fuzz::duration_quantity`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tekton_fuzz::duration_quantity(data));
