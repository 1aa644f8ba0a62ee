use super::Row;

const ROOT: &[&str] = &["Root folder"];
const TEMPORARY: &[&str] = &["Temporary"];

pub(super) const FILES: &[Row] = &[
    ("write-root", "Made a file in the root folder.", ROOT),
    ("write-programs", "Made a file beside the programs.", ROOT),
    ("write-settings", "Wrote in /etc.", ROOT),
    ("writable-places", "Made a file in every place where something is mounted.", ROOT),
    ("unexpected-mounts", "Looked for something that the plan does not name, and is mounted.", ROOT),
    ("remount-root", "Mounted the root folder again, to be written.", &["System calls", "Capabilities"]),
    ("run-noexec", "Put a program into /run and ran it.", TEMPORARY),
    ("shm-noexec", "Put a program into /dev/shm and ran it.", TEMPORARY),
    (
        "memory-folder-flags",
        "Looked for a temporary folder in which set-user-id programs or devices work.",
        TEMPORARY,
    ),
    ("make-device", "Made a device, in each folder that can be written.", &["Devices"]),
    ("device-list", "Looked for devices of the host.", &["Devices"]),
    ("airlock-binary", "Changed the airlock's program.", &["First process"]),
    ("pipe-folder", "Looked for the socket of the pipe, and made one in its place.", &["First process"]),
];

const READ_ONLY: &[&str] = &["Folder, read-only"];
const WRITABLE: &[&str] = &["Folder, writable"];

pub(super) const FOLDERS: &[Row] = &[
    (
        "folder-write",
        "Made, changed, renamed and removed files in folders that are granted to be read.",
        READ_ONLY,
    ),
    (
        "folder-parent",
        "Went up by `..` from each granted folder.",
        &["Folder, writable", "Folder, read-only"],
    ),
    ("folder-symlink", "Followed a link, made in a granted folder, to a file of the host.", WRITABLE),
    ("folder-symlink-relative", "Followed a link that climbs out of a granted folder.", WRITABLE),
    (
        "folder-hard-link",
        "Gave a file outside of a granted folder a second name in it, and the reverse.",
        WRITABLE,
    ),
    (
        "folder-race",
        "Swapped a folder for a link over and over, while a path through it was opened.",
        WRITABLE,
    ),
    ("folder-proc-links", "Followed a link to the root folder of other processes.", WRITABLE),
];

pub(super) const SECRETS: &[Row] = &[
    ("secret-mode", "Looked at who may read the files of secrets.", &["Secret"]),
    ("secret-others", "Looked for secrets of others in /run/secrets.", TEMPORARY),
    ("secret-variables", "Looked for secrets in the container's own variables.", &["Secret"]),
    ("other-homes", "Looked for keys and credentials of the host.", ROOT),
];
