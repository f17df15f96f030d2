//! Starts a command: in a process group of its own, and in namespaces of its own where that is asked for.

use std::{
    ffi::{CStr, CString},
    io, mem,
    os::fd::{AsRawFd as _, BorrowedFd, RawFd},
    ptr,
};

use super::pipe;

/// What a command is started with.
pub(crate) struct Start<'a> {
    /// Path of the program.
    pub(crate) program: &'a CStr,
    /// All arguments, the program's name first.
    pub(crate) args: &'a [CString],
    /// Standard input, output and error.
    pub(crate) descriptors: [BorrowedFd<'a>; 3],
}

// SAFETY: every C library has this variable, with this type.
unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

impl Start<'_> {
    fn arguments(&self) -> Vec<*mut libc::c_char> {
        self.args.iter().map(|arg| arg.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
    }

    /// Starts the command in a process group of its own, with no signal blocked or ignored.
    pub(crate) fn spawn(&self) -> io::Result<i32> {
        let args = self.arguments();
        let check = |code: i32| if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) };
        let mut process = 0;
        // SAFETY: both structures are initialised before they are used, all pointers are valid for the calls, the
        // argument list ends in null, and this thread alone may change the environment.
        unsafe {
            let mut attributes: libc::posix_spawnattr_t = mem::zeroed();
            let mut actions: libc::posix_spawn_file_actions_t = mem::zeroed();
            check(libc::posix_spawnattr_init(&raw mut attributes))?;
            check(libc::posix_spawn_file_actions_init(&raw mut actions))?;
            let mut none: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut none);
            // `sigfillset` leaves out two signals that the C library keeps, and then has the command ignore them.
            let mut every: libc::sigset_t = mem::zeroed();
            ptr::write_bytes(&raw mut every, 0xff, 1);
            libc::posix_spawnattr_setsigmask(&raw mut attributes, &raw const none);
            libc::posix_spawnattr_setsigdefault(&raw mut attributes, &raw const every);
            libc::posix_spawnattr_setpgroup(&raw mut attributes, 0);
            let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETPGROUP;
            let flags = libc::c_short::try_from(flags).expect("the flags fit");
            libc::posix_spawnattr_setflags(&raw mut attributes, flags);
            for (target, descriptor) in (0..).zip(&self.descriptors) {
                check(libc::posix_spawn_file_actions_adddup2(&raw mut actions, descriptor.as_raw_fd(), target))?;
            }
            let outcome = libc::posix_spawn(
                &raw mut process,
                self.program.as_ptr(),
                &raw const actions,
                &raw const attributes,
                args.as_ptr(),
                environ,
            );
            libc::posix_spawn_file_actions_destroy(&raw mut actions);
            libc::posix_spawnattr_destroy(&raw mut attributes);
            check(outcome)?;
        }
        Ok(process)
    }

    /// Starts the command in new user, mount, process and network namespaces; all ids are mapped to themselves.
    pub(crate) fn spawn_isolated(&self) -> io::Result<i32> {
        let args = self.arguments();
        let (go_read, go_write) = pipe()?;
        let (failed_read, failed_write) = pipe()?;
        let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWUSER | libc::SIGCHLD;
        // SAFETY: without CLONE_VM and with a null stack this is `fork` into new namespaces.
        let process = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
        if process < 0 {
            return Err(io::Error::last_os_error());
        }
        if process == 0 {
            self.child(&args, go_read.as_raw_fd(), failed_write.as_raw_fd());
        }
        let process = i32::try_from(process).expect("a process id is an i32");
        drop(failed_write);
        drop(go_read);
        let mapped = map_ids(process);
        let mut error = [0_u8; 4];
        if mapped.is_ok() {
            // SAFETY: one byte is valid.
            unsafe { libc::write(go_write.as_raw_fd(), error.as_ptr().cast(), 1) };
        }
        drop(go_write);
        // SAFETY: the buffer is as long as is said.
        let read = unsafe { libc::read(failed_read.as_raw_fd(), error.as_mut_ptr().cast(), error.len()) };
        if mapped.is_ok() && read == 0 {
            return Ok(process);
        }
        // SAFETY: the process is ours and has ended, or is about to.
        unsafe { libc::waitpid(process, ptr::null_mut(), 0) };
        mapped?;
        Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
    }

    /// Becomes the command. Only calls that are safe after a fork.
    fn child(&self, args: &[*mut libc::c_char], go: RawFd, failed: RawFd) -> ! {
        let mut byte = 0_u8;
        // SAFETY: plain system calls on valid descriptors and null-terminated arrays.
        unsafe {
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(127);
            }
            libc::setpgid(0, 0);
            for (target, descriptor) in (0..).zip(&self.descriptors) {
                if descriptor.as_raw_fd() == target {
                    libc::fcntl(target, libc::F_SETFD, 0);
                } else {
                    libc::dup2(descriptor.as_raw_fd(), target);
                }
            }
            let mut none: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut none);
            for signal in 1..=libc::SIGRTMAX() {
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            libc::execve(self.program.as_ptr(), args.as_ptr().cast(), environ.cast());
            let error = io::Error::last_os_error().raw_os_error().unwrap_or_default().to_ne_bytes();
            libc::write(failed, error.as_ptr().cast(), error.len());
            libc::_exit(127);
        }
    }
}

fn map_ids(process: i32) -> io::Result<()> {
    let all = "0 0 4294967295\n";
    std::fs::write(format!("/proc/{process}/uid_map"), all)?;
    std::fs::write(format!("/proc/{process}/setgroups"), "allow")?;
    std::fs::write(format!("/proc/{process}/gid_map"), all)
}
