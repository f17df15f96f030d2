//! What differs from system to system, as Unix has it: signals, inotify, namespaces, modes. All `unsafe` is here and
//! below.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in the standard library")]

mod start;

use std::{
    ffi::{CStr, OsStr},
    fs::{DirBuilder, File, Metadata, OpenOptions, Permissions},
    io, mem,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::{
            fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
            net::UnixStream,
        },
    },
    ptr,
    time::Duration,
};

pub(crate) use start::Start;

/// How long a change that inotify does not report stays unseen.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// What stands between the parts of a path.
pub(crate) const SEPARATOR: &str = "/";
pub(crate) const SEPARATORS: [char; 1] = ['/'];
/// The variable that names the user's home directory, and how errors write it.
pub(crate) const HOME: &str = "HOME";
pub(crate) const HOME_NAME: &str = "$HOME";

/// What watches directories for changes.
pub(crate) type Watcher = OwnedFd;

/// The name that a program was called by.
pub(crate) fn program_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the system sees of an exit code: -1, of a process that a signal ended, is 255.
pub(crate) fn exit_code(code: i64) -> i32 {
    i32::from(code.to_le_bytes()[0])
}

/// Files that these options create get a mode.
pub(crate) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

/// Directories that this builder makes get a mode.
pub(crate) fn directory_with_mode(builder: &mut DirBuilder, mode: u32) -> &mut DirBuilder {
    builder.mode(mode)
}

/// The mode of a file.
pub(crate) fn mode(found: &Metadata) -> u32 {
    found.permissions().mode() & 0o777
}

/// Lets everybody run a file.
pub(crate) fn make_executable(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o755))
}

pub(crate) fn symlink(target: &str, link: &str) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// A path on the volume where it would be without one; volumes have no names here.
pub(crate) fn with_volume(path: String) -> String {
    path
}

pub(crate) fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

pub(crate) fn temporary_directory() -> String {
    std::env::var("TMPDIR").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| "/tmp".to_owned())
}

/// Whether somebody listens on a socket.
pub(crate) fn answers(socket: &str) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// Sets a variable of this process, which its commands inherit.
pub(crate) fn set_env(name: &OsStr, value: &str) {
    // SAFETY: called before any other thread is started.
    unsafe { std::env::set_var(name, value) };
}

/// Opens the null device in place of standard streams that are closed, so that no file takes their place.
pub(crate) fn open_standard_descriptors() {
    for descriptor in 0..3 {
        // SAFETY: takes numbers only, and a constant path that ends in a null byte. The lowest free number is given
        // out, which is this one.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) < 0 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

fn disposition(signal: i32, handler: libc::sighandler_t) {
    // SAFETY: the handler is a constant of the C library or `leave`, which only calls `_exit`; a signal that can
    // not be handled makes the call fail and changes nothing.
    unsafe { libc::signal(signal, handler) };
}

extern "C" fn leave(signal: i32) {
    let code = match signal {
        libc::SIGTERM | libc::SIGINT | libc::SIGHUP => 128 + signal,
        _ => 2,
    };
    // SAFETY: `_exit` may be called in a signal handler.
    unsafe { libc::_exit(code) };
}

fn handler() -> libc::sighandler_t {
    leave as extern "C" fn(i32) as libc::sighandler_t
}

/// Signals that mean nothing to the entrypoint itself, though their default would end it.
///
/// They are blocked, which is one system call; to ignore them would be one each.
pub(crate) fn meaningless_signals() -> SignalSet {
    let mut set = SignalSet::of(&[
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
    ]);
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        set.add(signal);
    }
    set.remove(LEFT_ALONE);
    set
}

/// The signal behind those that C libraries keep to themselves: Go leaves it alone, and so it ends the program.
const LEFT_ALONE: i32 = 34;

/// Makes signals outside of a run act as they do on a Go program.
pub(crate) fn install_signal_dispositions() {
    meaningless_signals().block();
    for signal in [libc::SIGQUIT, libc::SIGABRT, libc::SIGILL, libc::SIGTRAP, libc::SIGSTKFLT, libc::SIGSYS] {
        disposition(signal, handler());
    }
    if std::process::id() == 1 {
        // The kernel drops signals with a default action that are sent to process 1.
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            disposition(signal, handler());
        }
    }
}

/// Makes ends of processes known, even where the parent of this one had them ignored.
pub(crate) fn expect_children() {
    disposition(libc::SIGCHLD, libc::SIG_DFL);
}

/// A set of signals.
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The given signals.
    pub(crate) fn of(signals: &[i32]) -> Self {
        // SAFETY: a zeroed set is a valid argument of `sigemptyset`, which initialises it.
        let mut set = unsafe { mem::zeroed() };
        // SAFETY: the set is valid.
        unsafe { libc::sigemptyset(&raw mut set) };
        let mut set = Self(set);
        for signal in signals {
            set.add(*signal);
        }
        set
    }

    fn add(&mut self, signal: i32) {
        // SAFETY: the set is valid; a number that is no signal makes the call fail and changes nothing.
        unsafe { libc::sigaddset(&raw mut self.0, signal) };
    }

    fn remove(&mut self, signal: i32) {
        // SAFETY: as for `add`.
        unsafe { libc::sigdelset(&raw mut self.0, signal) };
    }

    /// All signals that a Go program can be told of.
    pub(crate) fn all() -> Self {
        let mut set = Self::of(&[]);
        // SAFETY: the set is valid.
        unsafe { libc::sigfillset(&raw mut set.0) };
        set.remove(LEFT_ALONE);
        set
    }

    /// Blocks these signals; gives back the set that was blocked before.
    pub(crate) fn block(&self) -> Self {
        let mut before = Self::of(&[]);
        // SAFETY: both sets are valid.
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const self.0, &raw mut before.0) };
        before
    }

    /// Blocks exactly these signals.
    pub(crate) fn restore(&self) {
        // SAFETY: the set is valid, and a null pointer asks for no old one.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }

    /// Waits for one of these signals, which must be blocked.
    pub(crate) fn wait(&self) -> i32 {
        let mut signal = 0;
        // SAFETY: both pointers are valid.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        signal
    }

    /// Drops those of these signals, which must be blocked, that have come.
    pub(crate) fn discard(&self) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: all pointers are valid, and a null one asks for no details.
        while unsafe { libc::sigtimedwait(&raw const self.0, ptr::null_mut(), &raw const now) } > 0 {}
    }

    /// A descriptor from which these signals, which must be blocked, can be read.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: the set is valid.
        owned(unsafe { libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })
    }
}

/// The signals that ask a program to end.
pub(crate) struct EndSignals(SignalSet);

impl EndSignals {
    /// Holds them back from now on.
    pub(crate) fn hold() -> Self {
        let signals = SignalSet::of(&[libc::SIGINT, libc::SIGTERM]);
        signals.block();
        Self(signals)
    }

    /// Waits for one of them: its name.
    pub(crate) fn wait(&self) -> &'static str {
        if self.0.wait() == libc::SIGINT { "interrupt" } else { "terminated" }
    }
}

/// Lets the signals that end a program end this one again. Those that stop one still do not, as upstream's does not
/// stop once it has run its command.
pub(crate) fn let_signals_end_us() {
    let mut set = meaningless_signals();
    for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        set.add(signal);
    }
    set.restore();
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The next signal of a descriptor made by [`SignalSet::descriptor`]; `None` when there is none now.
pub(crate) fn next_signal(descriptor: &OwnedFd) -> Option<i32> {
    // SAFETY: the structure is plain numbers.
    let mut info: libc::signalfd_siginfo = unsafe { mem::zeroed() };
    let size = mem::size_of::<libc::signalfd_siginfo>();
    // SAFETY: the buffer is as long as is said.
    let read = unsafe { libc::read(descriptor.as_raw_fd(), (&raw mut info).cast(), size) };
    (read == isize::try_from(size).unwrap_or_default()).then(|| i32::try_from(info.ssi_signo).unwrap_or_default())
}

/// Sends a signal to a process, or to a process group where the number is negative.
pub(crate) fn kill(process: i32, signal: i32) {
    // SAFETY: takes numbers only; that the process is gone is no error here.
    unsafe { libc::kill(process, signal) };
}

/// Waits until one of the descriptors can be read or the time is over. `None` descriptors are left out.
pub(crate) fn poll(descriptors: &[Option<&OwnedFd>], timeout: Option<Duration>) {
    let mut polled = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; 4];
    for (slot, descriptor) in polled.iter_mut().zip(descriptors) {
        slot.fd = descriptor.map_or(-1, OwnedFd::as_raw_fd);
    }
    let timeout = timeout.map(|time| libc::timespec {
        tv_sec: i32::try_from(time.as_secs()).unwrap_or(i32::MAX).into(),
        tv_nsec: libc::c_long::from(time.subsec_nanos().cast_signed()),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the array is as long as is said, and the null pointers ask for no time-out and no signal mask.
    unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout, ptr::null()) };
}

/// Waits until a descriptor that does not block can be written.
pub(crate) fn await_writable(descriptor: BorrowedFd<'_>) {
    let mut polled = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: there is one structure.
    unsafe { libc::poll(&raw mut polled, 1, -1) };
}

/// A new inotify descriptor that does not block.
pub(crate) fn inotify() -> io::Result<OwnedFd> {
    // SAFETY: takes flags only.
    owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
}

/// Watches a directory for names that appear and files that change; whether that works.
pub(crate) fn watch(inotify: &OwnedFd, directory: &CStr, content: bool) -> bool {
    let mut events = libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_ONLYDIR;
    if content {
        events |= libc::IN_MODIFY | libc::IN_CLOSE_WRITE;
    }
    // SAFETY: the path ends in a null byte.
    unsafe { libc::inotify_add_watch(inotify.as_raw_fd(), directory.as_ptr(), events) >= 0 }
}

/// Reads and drops whatever a descriptor that does not block has.
pub(crate) fn drain(descriptor: &OwnedFd) {
    let mut buffer = [0_u64; 512];
    // SAFETY: the buffer is as long as is said.
    while unsafe { libc::read(descriptor.as_raw_fd(), buffer.as_mut_ptr().cast(), mem::size_of_val(&buffer)) } > 0 {}
}

/// The size of what a path leads to, links followed.
pub(crate) fn size(path: &CStr) -> io::Result<u64> {
    // SAFETY: the structure is plain numbers.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the path ends in a null byte and the structure is valid.
    if unsafe { libc::stat(path.as_ptr(), &raw mut found) } == 0 {
        Ok(u64::try_from(found.st_size).unwrap_or_default())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether this process may execute a file.
pub(crate) fn executable(path: &CStr) -> bool {
    // SAFETY: the path ends in a null byte.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) == 0 }
}

/// A pipe whose ends are closed in commands.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: there is room for two numbers.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system just gave these descriptors to us alone.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Makes a pipe hold as much at least, where the system lets us. What is no pipe stays as it is.
pub(crate) fn grow_pipe(pipe: BorrowedFd<'_>, bytes: i32) {
    // SAFETY: takes numbers only; a refusal leaves the pipe as it is.
    unsafe {
        if (0..bytes).contains(&libc::fcntl(pipe.as_raw_fd(), libc::F_GETPIPE_SZ)) {
            libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, bytes);
        }
    }
}

/// Moves at most `limit` bytes from one pipe into another, without a copy; how many, 0 at the end of the first.
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, limit: usize) -> io::Result<usize> {
    let nowhere = ptr::null_mut();
    // SAFETY: takes numbers only; pipes have no positions to point to.
    let moved = unsafe { libc::splice(from.as_raw_fd(), nowhere, to.as_raw_fd(), nowhere, limit, 0) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// Copies at most `limit` bytes from one pipe into another without taking them out of the first.
pub(crate) fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, limit: usize) -> io::Result<usize> {
    // SAFETY: takes numbers only.
    let copied = unsafe { libc::tee(from.as_raw_fd(), to.as_raw_fd(), limit, 0) };
    usize::try_from(copied).map_err(|_| io::Error::last_os_error())
}

/// Writes some of the bytes; how many.
pub(crate) fn write(to: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as is said.
    let written = unsafe { libc::write(to.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Reaps one process if it has ended: its wait status.
pub(crate) fn reap(process: i32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: the pointer is valid.
    (unsafe { libc::waitpid(process, &raw mut status, libc::WNOHANG) } == process).then_some(status)
}
