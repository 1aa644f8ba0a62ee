use super::Row;

const KERNEL: &[&str] = &["Kernel's files"];
const CALLS_LINE: &[&str] = &["System calls", "Capabilities"];

pub(super) const FILES: &[Row] = &[
    ("proc-kcore", "Read the machine's memory.", &["Kernel's files", "Devices"]),
    ("proc-kallsyms", "Read where the kernel's functions lie.", &["Capabilities"]),
    ("kernel-log", "Read the kernel's log.", &["Devices"]),
    ("proc-sysrq", "Opened the file that restarts the machine.", KERNEL),
    ("masked-paths", "Looked into files of the kernel that tell of the machine.", KERNEL),
    ("kernel-helpers", "Opened the settings that name programs the kernel runs as root.", KERNEL),
    ("writable-sysctl", "Opened every setting of the kernel for writing.", KERNEL),
    ("writable-sys", "Opened every file of /sys for writing.", KERNEL),
    ("writable-proc", "Opened the machine's files in /proc for writing.", KERNEL),
    (
        "cgroup-escape",
        "Set a release agent, which the host would run, made a cgroup, raised its limits.",
        KERNEL,
    ),
];

pub(super) const CALLS: &[Row] = &[
    ("mount", "Mounted a file system.", CALLS_LINE),
    ("mount-proc", "Mounted /proc anew, without what hides parts of it.", CALLS_LINE),
    ("fsopen", "Made a file system to be mounted.", CALLS_LINE),
    ("open-tree", "Copied a mount.", CALLS_LINE),
    ("move-mount", "Moved a mount.", CALLS_LINE),
    ("pivot-root", "Changed the root folder of all.", CALLS_LINE),
    ("chroot", "Changed its own root folder.", CALLS_LINE),
    ("unmask", "Took the mask off a file of the kernel.", CALLS_LINE),
    ("unshare-user", "Made a user namespace, in which it would be root.", CALLS_LINE),
    ("unshare-net", "Made a network namespace.", CALLS_LINE),
    ("unshare-mount", "Made a mount namespace.", CALLS_LINE),
    ("unshare-pid", "Made a process namespace.", CALLS_LINE),
    ("clone-user", "Started a child in a user namespace.", CALLS_LINE),
    ("clone3", "Started a child by the call whose flags no filter can read.", CALLS_LINE),
    ("setns", "Entered another namespace.", CALLS_LINE),
    ("bpf", "Loaded a program into the kernel.", CALLS_LINE),
    ("add-key", "Put a key into the kernel's keyring.", CALLS_LINE),
    ("keyctl", "Looked into the kernel's keyring, which containers share.", CALLS_LINE),
    ("io-uring", "Used io_uring, through which many escaped.", CALLS_LINE),
    ("userfaultfd", "Handled its own page faults, which wins races against the kernel.", CALLS_LINE),
    ("perf-events", "Counted what others do on the processor.", CALLS_LINE),
    ("file-handles", "Opened a file by its number, beyond the root folder.", CALLS_LINE),
    ("fanotify", "Watched every file of a mount.", CALLS_LINE),
    ("kcmp", "Compared other processes' resources.", CALLS_LINE),
    ("kexec", "Loaded another kernel.", CALLS_LINE),
    ("kernel-module", "Loaded a module into the kernel.", CALLS_LINE),
    ("reboot", "Restarted the machine.", CALLS_LINE),
    ("set-time", "Set the machine's clock.", CALLS_LINE),
    ("set-host-name", "Set the host's name.", CALLS_LINE),
    ("read-kernel-log", "Asked the kernel for its log.", CALLS_LINE),
    ("swap", "Turned on swap.", CALLS_LINE),
];

const NONE: &[&str] = &["Capabilities"];

pub(super) const PRIVILEGES: &[Row] = &[
    ("cap-effective", "Looked at the capabilities it has.", NONE),
    ("cap-permitted", "Looked at the capabilities it could take.", NONE),
    ("cap-inheritable", "Looked at the capabilities its programs could inherit.", NONE),
    ("cap-bounding", "Looked at the capabilities any program could ever gain.", NONE),
    ("cap-ambient", "Looked at the capabilities its programs keep.", NONE),
    (
        "no-new-privileges",
        "Looked whether a program can gain privileges by being executed.",
        &["New privileges"],
    ),
    ("seccomp-filter", "Looked whether system calls are filtered.", &["System calls"]),
    ("setuid-programs", "Looked for programs that run as their owner.", &["New privileges"]),
    ("become-root", "Became root.", NONE),
    ("become-other-user", "Became another user.", NONE),
    ("become-other-group", "Became a member of another group.", NONE),
    ("raise-priority", "Took precedence over others' processes.", NONE),
    ("spare-from-oom", "Asked to be spared when the machine runs out of memory.", NONE),
];
