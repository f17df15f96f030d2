//! The multi-call binary: `entrypoint`, `nop`, `workingdirinit` or `sidecarlogresults`, by the name it is called by.
//!
//! It starts without the standard library's own start-up, whose look at the stack costs more than all that is done
//! here until the command runs.
#![no_main]
#![expect(unsafe_code, reason = "the C library calls the program, with its arguments as pointers")]

use std::ffi::{OsString, c_char};

/// What the C library calls.
// SAFETY: no other function has this name, and this is the signature that the C library expects.
#[unsafe(no_mangle)]
pub extern "C" fn main(count: i32, args: *const *const c_char) -> i32 {
    tekton_entrypoint::start(arguments(count, args))
}

/// The arguments. The standard library knows them without its start-up where the C library is glibc, and only there.
#[cfg(unix)]
fn arguments(count: i32, args: *const *const c_char) -> impl Iterator<Item = OsString> {
    use std::{ffi::CStr, os::unix::ffi::OsStrExt as _};

    (0..usize::try_from(count).unwrap_or_default()).map(move |index| {
        // SAFETY: the C library gives as many pointers as it says, each to text that ends in a null byte and stays.
        let arg = unsafe { CStr::from_ptr(*args.add(index)) };
        std::ffi::OsStr::from_bytes(arg.to_bytes()).to_owned()
    })
}

/// The arguments, as the system has them.
#[cfg(windows)]
fn arguments(_count: i32, _args: *const *const c_char) -> impl Iterator<Item = OsString> {
    std::env::args_os()
}
