//! What the new process does between its making and the execution of its program.
//!
//! It starts as a copy of a process with other threads, so it may neither allocate nor take a lock: it walks a
//! prepared [`Plan`] and makes system calls, nothing else.
#![expect(unsafe_code, reason = "the life of a process between clone and exec")]

use super::plan::{Op, Plan};
use super::sys::{self, Errno};
use libc::{c_char, c_int};

/// Stages of a failure that are not operations of the plan; an index below them names an operation.
pub(super) const STAGE_IDENTITY: u32 = u32::MAX - 1;
pub(super) const STAGE_WORKING_DIR: u32 = u32::MAX - 2;
pub(super) const STAGE_EXEC: u32 = u32::MAX - 3;
pub(super) const STAGE_ENTER: u32 = u32::MAX - 4;

/// `KEYCTL_JOIN_SESSION_KEYRING` of `keyctl(2)`.
const JOIN_SESSION_KEYRING: c_int = 1;

/// The descriptors and tables that the new process needs, made before it exists.
pub(super) struct Child<'a> {
    pub(super) plan: &'a Plan,
    pub(super) slots: &'a mut [c_int],
    pub(super) argv: &'a [*const c_char],
    pub(super) env: &'a [*const c_char],
    /// Standard input, output and error.
    pub(super) stdio: [c_int; 3],
    /// The parent sends one byte when the identity maps are written, and keeps its end open until the exec.
    pub(super) go: c_int,
    /// The parent's end of `go`, to be closed here.
    pub(super) go_parent: c_int,
    /// Failures are written here: stage and error number.
    pub(super) errors: c_int,
    /// A container to enter instead of carrying out operations.
    pub(super) enter: Option<c_int>,
}

/// Runs as the new process; never returns.
///
/// # Safety
/// To be called only in the child of a clone without shared memory, with descriptors and tables that are valid there.
pub(super) unsafe fn run(mut child: Child<'_>) -> ! {
    // SAFETY: the caller's promise; every call below is async-signal-safe.
    unsafe {
        libc::close(child.go_parent);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut byte = 0u8;
        if libc::read(child.go, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(255);
        }
        reset_signals();
        if let Some(container) = child.enter {
            enter(&mut child, container);
        }
        for (index, op) in child.plan.ops.iter().enumerate() {
            if let Err(errno) = apply(op, child.slots) {
                fail(child.errors, u32::try_from(index).unwrap_or(0), errno);
            }
        }
        finish(&child)
    }
}

/// Enters the namespaces of a running container; a second process is needed to be inside its PID namespace.
unsafe fn enter(child: &mut Child<'_>, container: c_int) {
    let spaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    // SAFETY: plain system calls in a process of one thread.
    unsafe {
        if libc::setns(container, spaces) != 0 {
            fail(child.errors, STAGE_ENTER, sys::errno());
        }
        let inner = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if inner < 0 {
            fail(child.errors, STAGE_ENTER, sys::errno());
        }
        if inner == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            return;
        }
        // The outer process stands for the inner one: it holds no descriptor, and ends as the other ends.
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        let mut status = 0;
        let pid = libc::pid_t::try_from(inner).unwrap_or(-1);
        while libc::waitpid(pid, &raw mut status, 0) < 0 && sys::errno() == libc::EINTR {}
        libc::_exit(if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) });
    }
}

unsafe fn reset_signals() {
    // SAFETY: an all-zero mask is the empty mask; resetting dispositions touches no memory of ours.
    unsafe {
        for signal in 1..=31 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
        libc::umask(0);
    }
}

fn apply(op: &Op, slots: &mut [c_int]) -> Result<(), Errno> {
    match op {
        Op::Take { slot, source, sub_path, recursive, attr, optional } => {
            match take(source, sub_path.as_deref(), *recursive, *attr) {
                Ok(fd) => slots[*slot] = fd,
                Err(_) if *optional => slots[*slot] = -1,
                Err(errno) => return Err(errno),
            }
            Ok(())
        }
        Op::Mount { kind, target, flags, data, optional } => {
            // SAFETY: all strings are C strings that outlive the call.
            let result =
                unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), *flags, data.as_ptr().cast()) };
            if result != 0 && !optional { Err(sys::errno()) } else { Ok(()) }
        }
        Op::Pivot { root } => pivot(root),
        Op::Put { slot, target } => match slots[*slot] {
            -1 => Ok(()),
            fd => {
                sys::move_mount(fd, target)?;
                // SAFETY: the descriptor is ours and not used again.
                unsafe { libc::close(fd) };
                slots[*slot] = -1;
                Ok(())
            }
        },
        Op::Mkdir { path, mode } => {
            // SAFETY: the path is a C string that outlives the call.
            unsafe { libc::mkdir(path.as_ptr(), *mode) };
            Ok(())
        }
        Op::Touch { path } => {
            // SAFETY: the path is a C string that outlives the call.
            let fd = unsafe {
                libc::open(path.as_ptr(), libc::O_CREAT | libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK, 0o644)
            };
            if fd >= 0 {
                // SAFETY: the descriptor was just opened.
                unsafe { libc::close(fd) };
            }
            Ok(())
        }
        Op::Symlink { to, path } => {
            // SAFETY: both are C strings that outlive the call.
            unsafe { libc::symlink(to.as_ptr(), path.as_ptr()) };
            Ok(())
        }
        Op::Freeze { path } => {
            let Ok(tree) = sys::open_tree(libc::AT_FDCWD, path, true) else {
                return Ok(());
            };
            sys::mount_setattr(tree, true, sys::ATTR_RDONLY)?;
            sys::move_mount(tree, path)?;
            // SAFETY: the descriptor is ours.
            unsafe { libc::close(tree) };
            Ok(())
        }
        Op::Write { path, text } => {
            // SAFETY: the path is a C string and the text as long as said; both outlive the calls.
            unsafe {
                let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                if fd >= 0 {
                    libc::write(fd, text.as_ptr().cast(), text.len());
                    libc::close(fd);
                }
            }
            Ok(())
        }
        Op::ReadOnly { path } => {
            let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
            // SAFETY: all strings are C strings that outlive the call.
            let result =
                unsafe { libc::mount(std::ptr::null(), path.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
            if result == 0 { Ok(()) } else { Err(sys::errno()) }
        }
        Op::Detach { path } => {
            // SAFETY: the path is a C string that outlives the call.
            let result = unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
            if result == 0 { Ok(()) } else { Err(sys::errno()) }
        }
        Op::Rmdir { path } => {
            // SAFETY: the path is a C string that outlives the call.
            unsafe { libc::rmdir(path.as_ptr()) };
            Ok(())
        }
        Op::HostName { name } => {
            // SAFETY: the pointer and the length are those of one C string.
            unsafe { libc::sethostname(name.as_ptr(), name.as_bytes().len()) };
            Ok(())
        }
    }
}

fn take(
    source: &std::ffi::CStr,
    sub_path: Option<&std::ffi::CStr>,
    recursive: bool,
    attr: u64,
) -> Result<c_int, Errno> {
    let tree = match sub_path {
        None => sys::open_tree(libc::AT_FDCWD, source, recursive)?,
        Some(sub_path) => {
            // SAFETY: the path is a C string that outlives the call.
            let base = unsafe { libc::open(source.as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) };
            if base < 0 {
                return Err(sys::errno());
            }
            let inner = sys::open_beneath(base, sub_path, libc::O_PATH)?;
            sys::open_tree(inner, c"", recursive)?
        }
    };
    if attr != 0 {
        sys::mount_setattr(tree, recursive, attr)?;
    }
    Ok(tree)
}

fn pivot(root: &std::ffi::CStr) -> Result<(), Errno> {
    // SAFETY: all strings are C strings that outlive the calls.
    let ok = unsafe {
        libc::chdir(root.as_ptr()) == 0
            && libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) == 0
            && libc::umount2(c".".as_ptr(), libc::MNT_DETACH) == 0
            && libc::chdir(c"/".as_ptr()) == 0
    };
    if ok { Ok(()) } else { Err(sys::errno()) }
}

/// Capabilities that a container keeps when it runs as root: those that engines give by default.
const KEPT: u64 = 1 << 0
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | 1 << 18
    | 1 << 27
    | 1 << 29
    | 1 << 31;

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: c_int,
}

/// The kernel's version of the capability structures with 64 bits.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

unsafe fn identity(child: &Child<'_>) -> Result<(), Errno> {
    let plan = child.plan;
    // SAFETY: plain system calls on memory of the plan.
    unsafe {
        libc::setsid();
        // Keys of the session that started the node are not the container's.
        libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0);
        for (index, fd) in child.stdio.iter().enumerate() {
            let target = c_int::try_from(index).unwrap_or(0);
            if libc::dup2(*fd, target) < 0 {
                return Err(sys::errno());
            }
        }
        // A terminal on standard input becomes the session's own; anything else refuses, which does no harm.
        libc::ioctl(0, libc::TIOCSCTTY, 0);
        for capability in 0..63 {
            if KEPT & (1 << capability) == 0 {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
        }
        if plan.set_ids {
            let groups = plan.groups.as_ptr();
            if libc::syscall(libc::SYS_setgroups, plan.groups.len(), groups) != 0
                || libc::syscall(libc::SYS_setresgid, plan.group, plan.group, plan.group) != 0
                || libc::syscall(libc::SYS_setresuid, plan.user, plan.user, plan.user) != 0
            {
                return Err(sys::errno());
            }
        }
        let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
        let kept = if plan.user == 0 { KEPT } else { 0 };
        #[expect(clippy::cast_possible_truncation, reason = "the structure holds the halves of the mask")]
        let halves = [kept as u32, (kept >> 32) as u32];
        let data = [[halves[0], halves[0], 0], [halves[1], halves[1], 0]];
        libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr());
        if plan.no_new_privileges {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        }
        // A change of identity clears this; then see whether the parent has gone in between.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut poll = libc::pollfd { fd: child.go, events: 0, revents: 0 };
        if libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents & libc::POLLHUP != 0 {
            libc::_exit(255);
        }
        libc::umask(0o022);
    }
    Ok(())
}

unsafe fn finish(child: &Child<'_>) -> ! {
    let plan = child.plan;
    // SAFETY: plain system calls; the tables end with a null pointer and point into the plan.
    unsafe {
        if let Err(errno) = identity(child) {
            fail(child.errors, STAGE_IDENTITY, errno);
        }
        if libc::chdir(plan.working_dir.as_ptr()) != 0 {
            fail(child.errors, STAGE_WORKING_DIR, sys::errno());
        }
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        let mut worst = libc::ENOENT;
        for program in &plan.programs {
            libc::execve(program.as_ptr(), child.argv.as_ptr(), child.env.as_ptr());
            let errno = sys::errno();
            // A directory of the search path that has no such program, or may not be entered, says nothing.
            if plan.programs.len() == 1 || !matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::EACCES) {
                worst = errno;
                break;
            }
        }
        fail(child.errors, STAGE_EXEC, worst)
    }
}

unsafe fn fail(errors: c_int, stage: u32, errno: Errno) -> ! {
    let mut message = [0u8; 8];
    message[..4].copy_from_slice(&stage.to_ne_bytes());
    message[4..].copy_from_slice(&errno.to_ne_bytes());
    // SAFETY: the buffer is as long as said; the process ends here.
    unsafe {
        libc::write(errors, message.as_ptr().cast(), message.len());
        libc::_exit(255)
    }
}
