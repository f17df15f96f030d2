//! The multi-call binary: `entrypoint`, `nop`, `workingdirinit` or `sidecarlogresults`, by the name it is called by.
//!
//! It starts without the standard library's own start-up, whose look at the stack costs more than all that is done
//! here until the command runs.
#![no_main]

/// What the C library calls.
#[expect(unsafe_code, reason = "the name of the start function is fixed")]
// SAFETY: no other function has this name, and this is the signature that the C library expects.
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: i32, _args: *const *const u8) -> i32 {
    tekton_entrypoint::start()
}
