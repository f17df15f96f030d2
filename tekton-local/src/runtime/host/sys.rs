//! The few system calls that the standard library lacks, as functions that fail with the error number.
#![expect(unsafe_code, reason = "raw system calls")]

use libc::{c_int, c_long};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use tokio::io::unix::AsyncFd;

/// `OPEN_TREE_CLONE` of `open_tree(2)`.
const OPEN_TREE_CLONE: c_int = 1;
/// `MOVE_MOUNT_F_EMPTY_PATH` of `move_mount(2)`.
const MOVE_MOUNT_F_EMPTY_PATH: c_int = 4;
/// `MOUNT_ATTR_RDONLY` of `mount_setattr(2)`.
pub(super) const ATTR_RDONLY: u64 = 1;
/// `MOUNT_ATTR_NOSUID` of `mount_setattr(2)`.
pub(super) const ATTR_NOSUID: u64 = 2;

/// An error number.
pub(super) type Errno = c_int;

/// The error number of the last failed call of this thread.
pub(super) fn errno() -> Errno {
    // SAFETY: the location of errno is valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

fn check(result: c_long) -> Result<c_int, Errno> {
    if result < 0 { Err(errno()) } else { Ok(c_int::try_from(result).unwrap_or(c_int::MAX)) }
}

/// Detaches a copy of the mount tree at `path` (below `dir` when given, `dir` itself for an empty path).
pub(super) fn open_tree(dir: c_int, path: &CStr, recursive: bool) -> Result<c_int, Errno> {
    let mut flags = OPEN_TREE_CLONE | libc::O_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH;
    }
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_open_tree, dir, path.as_ptr(), flags) })
}

/// Attaches a detached mount tree at `target`.
pub(super) fn move_mount(tree: c_int, target: &CStr) -> Result<(), Errno> {
    // SAFETY: both paths are C strings that outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree,
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })
    .map(drop)
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Sets attributes on a detached mount tree, and on all below it when `recursive`.
pub(super) fn mount_setattr(tree: c_int, recursive: bool, set: u64) -> Result<(), Errno> {
    let attr = MountAttr { set, clear: 0, propagation: libc::MS_PRIVATE, userns: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` is a `struct mount_attr` of the size given and outlives the call.
    check(unsafe {
        libc::syscall(libc::SYS_mount_setattr, tree, c"".as_ptr(), flags, &raw const attr, size_of::<MountAttr>())
    })
    .map(drop)
}

/// Opens `path` below `dir` without ever leaving `dir`, by whatever links the path may pass.
pub(super) fn open_beneath(dir: c_int, path: &CStr, flags: c_int) -> Result<c_int, Errno> {
    // SAFETY: an all-zero `open_how` is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from((flags | libc::O_CLOEXEC).cast_unsigned());
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: `path` and `how` outlive the call and the size is that of `how`.
    check(unsafe { libc::syscall(libc::SYS_openat2, dir, path.as_ptr(), &raw mut how, size_of::<libc::open_how>()) })
}

/// [`open_beneath`] for the node's own use.
pub(crate) fn open_beneath_owned(dir: BorrowedFd<'_>, path: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    let fd = open_beneath(dir.as_raw_fd(), path, flags).map_err(io::Error::from_raw_os_error)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a directory `name` in the directory `dir`; one that exists is no error.
pub(crate) fn mkdir_in(dir: BorrowedFd<'_>, name: &CStr, mode: libc::mode_t) -> io::Result<()> {
    // SAFETY: `name` is a C string that outlives the call.
    match check(c_long::from(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) })) {
        Ok(_) | Err(libc::EEXIST) => Ok(()),
        Err(errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Makes an empty file `name` in the directory `dir`; one that exists is no error, a link is not followed.
pub(crate) fn create_in(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: `name` is a C string that outlives the call.
    let fd = check(c_long::from(unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, 0o644) }))
        .map_err(io::Error::from_raw_os_error)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// A pipe whose ends close on exec.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two descriptors.
    check(c_long::from(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }))
        .map_err(io::Error::from_raw_os_error)?;
    // SAFETY: both descriptors were just made and nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Sends a signal to the process of a pidfd; one that has ended is no error.
pub(super) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: c_int) {
    // SAFETY: a null `siginfo` and no flags are what `kill(2)` would send.
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0);
    }
}

/// Reaps the process of a pidfd if it has ended: its wait code and status.
pub(super) fn pidfd_reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<(c_int, c_int)>> {
    // SAFETY: an all-zero `siginfo_t` is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).expect("a descriptor is not negative");
    // SAFETY: `info` has room for the answer.
    let result = unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED | libc::WNOHANG) };
    check(c_long::from(result)).map_err(io::Error::from_raw_os_error)?;
    // SAFETY: `waitid` filled the child fields of `info`, or left them zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then_some((info.si_code, status)))
}

/// The effective user and group of this process.
pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: these calls cannot fail and touch no memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Gives an open file another owner.
pub(super) fn fchown(fd: BorrowedFd<'_>, user: u32, group: u32) {
    // SAFETY: a call on a descriptor that is open for its length; failure leaves the owner as it was.
    unsafe {
        libc::fchown(fd.as_raw_fd(), user, group);
    }
}

/// A descriptor that tells when it is readable.
pub(super) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register(fd) }.map_err(|error| error.into_parts().1)
}
