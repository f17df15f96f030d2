//! What differs from system to system, as Windows has it: no process groups, no modes, no inotify, its own clock.
//!
//! All `unsafe` of a build for Windows is here.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in the standard library")]

use std::{
    ffi::{CStr, OsStr},
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io,
    os::windows::{
        fs::{symlink_dir, symlink_file},
        io::AsRawHandle as _,
    },
    path::Path,
    process::Child,
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// How long a change stays unseen. Nothing reports changes here, so this is what a person would wait for.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// What stands between the parts of a path.
pub(crate) const SEPARATOR: &str = "\\";
pub(crate) const SEPARATORS: [char; 2] = ['/', '\\'];
/// The variable that names the user's home directory, and how errors write it.
pub(crate) const HOME: &str = "USERPROFILE";
pub(crate) const HOME_NAME: &str = "%userprofile%";

/// `TIME_ZONE_INFORMATION`: its names and dates are not read.
#[repr(C)]
struct TimeZone {
    bias: i32,
    standard: [u16; 40],
    standard_bias: i32,
    daylight: [u16; 40],
    daylight_bias: i32,
}

const TIME_ZONE_ID_STANDARD: u32 = 1;
const TIME_ZONE_ID_DAYLIGHT: u32 = 2;
const CTRL_C_EVENT: u32 = 0;
const CTRL_BREAK_EVENT: u32 = 1;

// SAFETY: these are the declarations of the system's own library.
#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetTimeZoneInformation(zone: *mut TimeZone) -> u32;
    fn SetConsoleCtrlHandler(handler: Option<unsafe extern "system" fn(u32) -> i32>, add: i32) -> i32;
    fn WaitForSingleObject(handle: *mut std::ffi::c_void, milliseconds: u32) -> u32;
}

/// What watches directories for changes: nothing.
pub(crate) enum Watcher {}

pub(crate) fn inotify() -> io::Result<Watcher> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn watch(watcher: &Watcher, _directory: &CStr, _content: bool) -> bool {
    match *watcher {}
}

pub(crate) fn drain(watcher: &Watcher) {
    match *watcher {}
}

/// Waits until the time is over.
pub(crate) fn poll(_: &[Option<&Watcher>], timeout: Option<Duration>) {
    thread::sleep(timeout.unwrap_or(POLL));
}

/// The name that a program was called by.
pub(crate) fn program_name(path: &str) -> &str {
    let name = path.rsplit(SEPARATORS).next().unwrap_or(path);
    let (stem, extension) = name.split_at(name.len().saturating_sub(".exe".len()));
    if extension.eq_ignore_ascii_case(".exe") { stem } else { name }
}

/// What the system sees of an exit code: all of it.
pub(crate) fn exit_code(code: i64) -> i32 {
    u32::try_from(code).map_or(1, u32::cast_signed)
}

/// Standard streams that are closed stay so: no file takes their place here.
pub(crate) fn open_standard_descriptors() {}

/// Signals end this program, as they end upstream's.
pub(crate) fn install_signal_dispositions() {}

/// They always do.
pub(crate) fn let_signals_end_us() {}

/// Sets a variable of this process, which its commands inherit.
pub(crate) fn set_env(name: &OsStr, value: &str) {
    // SAFETY: on this system always safe.
    unsafe { std::env::set_var(name, value) };
}

/// Files have no modes here.
pub(crate) fn with_mode(options: &mut OpenOptions, _: u32) -> &mut OpenOptions {
    options
}

/// Directories have no modes here.
pub(crate) fn directory_with_mode(builder: &mut DirBuilder, _: u32) -> &mut DirBuilder {
    builder
}

/// Files have no modes here.
pub(crate) fn mode(_: &Metadata) -> u32 {
    0
}

/// Everybody may run a file here.
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
pub(crate) fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}

/// Links are to a file or to a directory; as upstream has it, what is not there yet is a file.
pub(crate) fn symlink(target: &str, link: &str) -> io::Result<()> {
    let found = Path::new(link).parent().unwrap_or(Path::new("")).join(target);
    if found.is_dir() { symlink_dir(target, link) } else { symlink_file(target, link) }
}

/// A path on the volume where upstream looks for one that names none.
pub(crate) fn with_volume(path: String) -> String {
    if path.starts_with('\\') && !path.starts_with("\\\\") { format!("C:{path}") } else { path }
}

pub(crate) fn is_absolute(path: &str) -> bool {
    Path::new(path).is_absolute()
}

pub(crate) fn temporary_directory() -> String {
    std::env::temp_dir().to_string_lossy().into_owned()
}

/// Whether somebody listens on a socket: the standard library can not tell here.
pub(crate) fn answers(_socket: &str) -> bool {
    false
}

/// The size of what a path leads to, links followed.
pub(crate) fn size(path: &CStr) -> io::Result<u64> {
    let path = path.to_str().map_err(|_| io::ErrorKind::InvalidInput)?;
    std::fs::metadata(path).map(|found| found.len())
}

/// Seconds east of UTC, now.
pub(crate) fn zone_offset() -> i64 {
    let mut zone = TimeZone { bias: 0, standard: [0; 40], standard_bias: 0, daylight: [0; 40], daylight_bias: 0 };
    // SAFETY: the structure is valid, and as long as the system's.
    let kind = unsafe { GetTimeZoneInformation(&raw mut zone) };
    let bias = match kind {
        TIME_ZONE_ID_STANDARD => zone.bias + zone.standard_bias,
        TIME_ZONE_ID_DAYLIGHT => zone.bias + zone.daylight_bias,
        _ => zone.bias,
    };
    i64::from(bias) * -60
}

/// Waits until a process has ended or the time is over.
pub(crate) fn await_end(process: &Child, timeout: Option<Duration>) {
    let forever = u32::MAX;
    let timeout = timeout.map_or(forever, |time| u32::try_from(time.as_millis() + 1).unwrap_or(forever - 1));
    // SAFETY: the handle is the process's, which is borrowed meanwhile.
    unsafe { WaitForSingleObject(process.as_raw_handle(), timeout) };
}

/// What asked this program to end.
static ENDED: (Mutex<Option<&str>>, Condvar) = (Mutex::new(None), Condvar::new());

unsafe extern "system" fn ended(event: u32) -> i32 {
    let interrupted = matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT);
    let (name, changed) = &ENDED;
    *name.lock().unwrap_or_else(PoisonError::into_inner) = Some(if interrupted { "interrupt" } else { "terminated" });
    changed.notify_all();
    // The system ends a program whose console closes as soon as this returns.
    while !interrupted {
        thread::sleep(POLL);
    }
    1
}

/// The events that ask a program to end.
pub(crate) struct EndSignals(());

impl EndSignals {
    /// Holds them back from now on.
    pub(crate) fn hold() -> Self {
        // SAFETY: the handler has the signature that the system asks for, and lives as long as the program.
        unsafe { SetConsoleCtrlHandler(Some(ended), 1) };
        Self(())
    }

    /// Waits for one of them: its name.
    pub(crate) fn wait(&self) -> &'static str {
        let (name, changed) = &ENDED;
        let mut name = name.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match name.take() {
                Some(name) => return name,
                None => name = changed.wait(name).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
