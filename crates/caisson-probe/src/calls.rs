//! System calls that no server needs and that past escapes were made of.

use std::fs::File;
use std::os::fd::AsFd;

use caisson_wire::probe::{Finding, Ground};

use crate::{Probe, kernel, status::refused};

pub(crate) const PROBES: &[Probe] = &[
    ("mount", |ground| {
        let answer = kernel::mount(c"/tmp", Some(c"tmpfs"), 0);
        if answer.is_ok() {
            // Back to what it was; the container ends in a moment anyway.
            drop(kernel::umount(c"/tmp"));
        }
        refused(ground, "mounting a file system", answer)
    }),
    ("mount-proc", |ground| {
        let answer = kernel::mount(c"/tmp", Some(c"proc"), 0);
        if answer.is_ok() {
            drop(kernel::umount(c"/tmp"));
        }
        refused(ground, "mounting /proc anew", answer)
    }),
    ("fsopen", |ground| refused(ground, "fsopen", kernel::fsopen())),
    ("open-tree", |ground| refused(ground, "copying a mount", kernel::open_tree(c"/"))),
    ("move-mount", |ground| refused(ground, "move_mount", kernel::move_mount())),
    ("pivot-root", |ground| refused(ground, "pivot_root", kernel::pivot_root(c"/tmp"))),
    ("chroot", |ground| refused(ground, "chroot", kernel::chroot(c"/tmp"))),
    ("unmask", |ground| refused(ground, "taking a mask off", kernel::umount(c"/proc/kcore"))),
    ("unshare-user", |ground| refused(ground, "a new user namespace", kernel::unshare_user())),
    ("unshare-net", |ground| refused(ground, "a new network namespace", kernel::unshare_net())),
    ("unshare-mount", |ground| refused(ground, "a new mount namespace", kernel::unshare_mount())),
    ("unshare-pid", |ground| refused(ground, "a new process namespace", kernel::unshare_pid())),
    ("clone-user", |ground| refused(ground, "a child in a new user namespace", kernel::clone_user())),
    ("clone3", clone3),
    ("setns", setns),
    ("bpf", |ground| refused(ground, "bpf", kernel::bpf())),
    ("add-key", |ground| refused(ground, "add_key", kernel::add_key())),
    ("keyctl", |ground| refused(ground, "keyctl", kernel::keyctl())),
    ("io-uring", |ground| refused(ground, "io_uring", kernel::io_uring())),
    ("userfaultfd", |ground| refused(ground, "userfaultfd", kernel::userfaultfd())),
    ("perf-events", |ground| refused(ground, "perf_event_open", kernel::perf_event_open())),
    ("file-handles", |ground| refused(ground, "open_by_handle_at", kernel::open_by_handle_at())),
    ("fanotify", |ground| refused(ground, "fanotify", kernel::fanotify_init())),
    ("kcmp", |ground| refused(ground, "kcmp", kernel::kcmp_1())),
    ("kexec", |ground| refused(ground, "loading another kernel", kernel::kexec_load())),
    ("kernel-module", |ground| refused(ground, "loading a module", kernel::init_module())),
    ("reboot", |ground| refused(ground, "a restart of the machine", kernel::reboot())),
    ("set-time", |ground| refused(ground, "setting the clock", kernel::settimeofday())),
    ("set-host-name", |ground| refused(ground, "setting the host name", kernel::sethostname())),
    ("read-kernel-log", |ground| refused(ground, "syslog", kernel::syslog())),
    ("swap", |ground| refused(ground, "swapon", kernel::swapon())),
];

/// Its flags lie in memory where no filter can read them, so it must be said not to exist.
fn clone3(ground: &Ground) -> Finding {
    match kernel::clone3() {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Finding::held(
            "clone3 is said not to exist, so that programs use clone, which the filter can read",
        ),
        answer => refused(ground, "clone3", answer),
    }
}

/// The namespaces of PID 1 first; then this process's own, which nobody without privileges may enter either.
fn setns(ground: &Ground) -> Finding {
    match File::open("/proc/1/ns/uts").or_else(|_| File::open("/proc/self/ns/uts")) {
        Ok(namespace) => refused(ground, "entering a namespace", kernel::setns(namespace.as_fd())),
        Err(error) => Finding::held(format!("no namespace could be opened: {error}")),
    }
}
