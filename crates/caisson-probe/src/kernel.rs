//! System calls that no library wraps, made to see whether they are refused. The only unsafe code of the crate.
//!
//! Each is made so that it does no harm where it is allowed: it would fail for another reason, or what it makes ends
//! with the process, which lives for this one try.
#![expect(
    unsafe_code,
    reason = "these calls are refused to every server, so no library has a safe form of them"
)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::null,
};

use libc::{c_int, c_long};

/// What a call answered: a number, or why it was refused.
pub(crate) type Answer = io::Result<c_long>;

fn answer(returned: c_long) -> Answer {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// Makes a call with numbers alone: no pointer of ours but null.
macro_rules! plain {
    ($($(#[$about:meta])* $name:ident: $number:ident($($argument:expr),*);)+) => {$(
        $(#[$about])*
        pub(crate) fn $name() -> Answer {
            // SAFETY: every argument is a number or null, and the call changes no memory or descriptor of this process.
            answer(unsafe { libc::syscall(libc::$number $(, $argument as c_long)*) })
        }
    )+};
}

plain! {
    /// A new user namespace for this process.
    unshare_user: SYS_unshare(libc::CLONE_NEWUSER);
    /// A new network namespace for this process.
    unshare_net: SYS_unshare(libc::CLONE_NEWNET);
    /// A new mount namespace for this process.
    unshare_mount: SYS_unshare(libc::CLONE_NEWNS);
    /// A new process namespace for children of this process.
    unshare_pid: SYS_unshare(libc::CLONE_NEWPID);
    /// Arguments of no length: `EINVAL` from a kernel that looks at them.
    clone3: SYS_clone3(0, 0);
    /// A program of no kind: `EFAULT` from a kernel that looks at it.
    bpf: SYS_bpf(0, 0, 72);
    /// The id of the session's keyring.
    keyctl: SYS_keyctl(0, -3, 0);
    /// No parameters: `EFAULT` from a kernel that looks at them.
    io_uring: SYS_io_uring_setup(1, 0);
    /// Page faults of this process, in user mode alone.
    userfaultfd: SYS_userfaultfd(1 | libc::O_CLOEXEC);
    /// No attributes: `EFAULT` from a kernel that looks at them.
    perf_event_open: SYS_perf_event_open(0, 0, -1, -1, 0);
    /// No segments, and flags that do not exist: `EINVAL` from a kernel that would load another.
    kexec_load: SYS_kexec_load(0, 0, 0, 0xdead);
    /// A module of no bytes: `EFAULT` or `ENOEXEC` from a kernel that would load one.
    init_module: SYS_init_module(0, 0, 0);
    /// Without the magic numbers: `EINVAL` from a kernel that would do it.
    reboot: SYS_reboot(0, 0, 0, 0);
    /// No time to set: a kernel that may set it succeeds and changes nothing.
    settimeofday: SYS_settimeofday(0, 0);
    /// A name of a negative length: `EINVAL` from a kernel that would set it.
    sethostname: SYS_sethostname(0, -1);
    /// The size of the kernel's log.
    syslog: SYS_syslog(10, 0, 0);
    /// Watching every file of a mount.
    fanotify_init: SYS_fanotify_init(0, 0);
    /// No descriptors: `EBADF` from a kernel that would move a mount.
    move_mount: SYS_move_mount(-1, 0, -1, 0, 0);
    /// A file by its handle, with no handle: `EFAULT` from a kernel that would open it.
    open_by_handle_at: SYS_open_by_handle_at(libc::AT_FDCWD, 0, 0);
    /// Steering PID 1 from here, without stopping it.
    ptrace_seize_1: SYS_ptrace(0x4206, 1, 0, 0);
    /// Whether two processes share a file table.
    kcmp_1: SYS_kcmp(1, 1, 2, 0, 0);
}

/// Mounts `kind` on a folder, or changes how it is mounted.
pub(crate) fn mount(on: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> Answer {
    let kind = kind.map_or(null(), CStr::as_ptr);
    // SAFETY: the strings end with NUL and outlive the call; the others may be null (mount(2)).
    answer(unsafe { libc::syscall(libc::SYS_mount, null::<u8>(), on.as_ptr(), kind, flags, null::<u8>()) })
}

/// Takes a mount away.
pub(crate) fn umount(from: &CStr) -> Answer {
    // SAFETY: the string ends with NUL and outlives the call.
    answer(unsafe { libc::syscall(libc::SYS_umount2, from.as_ptr(), libc::MNT_DETACH) })
}

/// A call whose first argument is a path, and the others a number.
fn with_path(number: c_long, path: &CStr, more: c_long) -> Answer {
    // SAFETY: the string ends with NUL and outlives the call.
    answer(unsafe { libc::syscall(number, path.as_ptr(), more) })
}

/// A file system that is not mounted yet.
pub(crate) fn fsopen() -> Answer {
    with_path(libc::SYS_fsopen, c"tmpfs", 0)
}

/// Swaps to a file that is not there: `ENOENT` from a kernel that would.
pub(crate) fn swapon() -> Answer {
    with_path(libc::SYS_swapon, c"/nowhere", 0)
}

/// Makes a folder the root of this process.
pub(crate) fn chroot(to: &CStr) -> Answer {
    with_path(libc::SYS_chroot, to, 0)
}

/// A copy of the mount that a folder lies in.
pub(crate) fn open_tree(folder: &CStr) -> Answer {
    const CLONE: c_int = 1;
    // SAFETY: the string ends with NUL and outlives the call.
    answer(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, folder.as_ptr(), CLONE) })
}

/// Makes a folder the root of all.
pub(crate) fn pivot_root(to: &CStr) -> Answer {
    // SAFETY: the string ends with NUL and outlives the call.
    answer(unsafe { libc::syscall(libc::SYS_pivot_root, to.as_ptr(), to.as_ptr()) })
}

/// Enters a namespace.
pub(crate) fn setns(namespace: BorrowedFd<'_>) -> Answer {
    // SAFETY: the descriptor is open for as long as it is borrowed.
    answer(unsafe { libc::syscall(libc::SYS_setns, namespace.as_raw_fd(), 0) })
}

/// A child in a user namespace of its own, which ends at once.
pub(crate) fn clone_user() -> Answer {
    let flags = c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
    // SAFETY: without CLONE_VM it is a fork: the child has a copy of all memory, and does nothing but end.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if child == 0 {
        // SAFETY: ends the child without running anything of ours.
        unsafe { libc::_exit(0) }
    }
    answer(child)
}

/// A key in this process's own keyring.
pub(crate) fn add_key() -> Answer {
    const PROCESS_KEYRING: c_long = -2;
    // SAFETY: the strings end with NUL, the payload is one byte long, and all outlive the call.
    answer(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            c"caisson-probe".as_ptr(),
            c"x".as_ptr(),
            1,
            PROCESS_KEYRING,
        )
    })
}

/// Reads a byte of another process's memory, at an address where none has any: `EFAULT` from a kernel that would.
pub(crate) fn read_memory_of(process: c_long) -> Answer {
    let mut byte = 0u8;
    let here = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let there = libc::iovec { iov_base: std::ptr::without_provenance_mut(0x1000), iov_len: 1 };
    // SAFETY: the one buffer of ours is a byte that outlives the call; the other address is the other process's.
    answer(unsafe {
        libc::syscall(libc::SYS_process_vm_readv, process, &raw const here, 1, &raw const there, 1, 0)
    })
}

/// A copy of another process's first descriptor.
pub(crate) fn steal_descriptor(pidfd: BorrowedFd<'_>) -> Answer {
    // SAFETY: the descriptor is open for as long as it is borrowed; what comes of it ends with this process.
    answer(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), 0, 0) })
}

/// Opens a socket and closes it again.
pub(crate) fn socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<()> {
    // SAFETY: the arguments are numbers.
    let socket = answer(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) })?;
    // SAFETY: the descriptor was just made and is nobody else's.
    unsafe { libc::syscall(libc::SYS_close, socket) };
    Ok(())
}

/// Asks to be another user.
pub(crate) fn set_user(uid: libc::uid_t) -> Answer {
    // SAFETY: the call concerns this thread alone, which is the only one.
    answer(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })
}

/// Asks to be of another group.
pub(crate) fn set_group(gid: libc::gid_t) -> Answer {
    // SAFETY: as for the user.
    answer(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })
}

/// Ignores every signal that can be ignored.
pub(crate) fn ignore_signals() {
    for signal in 1..32 {
        // SAFETY: `SIG_IGN` runs nothing of ours; a signal that cannot be ignored is refused.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
