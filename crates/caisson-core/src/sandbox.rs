//! Turns a server's permissions into a `Plan`, and keeps the server running. Only here a `Plan` is made.

mod plan;

pub use plan::{
    Bind, FolderError, Folders, HOME, InstallNeeds, Network, Places, Plan, PlanError, PlanKind, PlanLine,
    Tmpfs, Ulimit, UserIds, UserNamespace, VolumeMount,
};
