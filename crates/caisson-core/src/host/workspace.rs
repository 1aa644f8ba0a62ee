//! Workspaces: what servers have put out, collected, kept and put back. One such thing of a server at a time.

use caisson_wire::{FileFate, FileRemark, FilesReport};

use super::Host;
use crate::{
    audit::Part,
    control::api::{
        ApiError, CollectWorkspace, CollectedWorkspace, CopyView, Done, DropSnapshot, ErrorCode,
        ListWorkspace, ResetWorkspace, RestoreWorkspace, SnapshotView, SnapshotWorkspace, TakenSnapshot,
        WorkspaceFile, WorkspaceRemark, WorkspaceView,
    },
    model::{SnapshotName, utc},
    sandbox::Snapshot,
};

impl Host {
    pub(super) async fn list_workspace(&self, list: ListWorkspace) -> Result<WorkspaceView, ApiError> {
        let server = self.in_force(&list.server)?;
        let sandbox = &self.0.sandbox;
        let output = sandbox.output(&list.server, &server).await?;
        let snapshots = sandbox.snapshots(&list.server).await?.into_iter();
        let found = output.found.into_iter();
        Ok(WorkspaceView {
            workspace: server.permissions.workspace.unwrap_or_default(),
            files: output.files,
            bytes: output.bytes,
            found: found.map(|file| WorkspaceFile { path: file.path, bytes: file.bytes }).collect(),
            remarks: output.remarks.into_iter().map(remark).collect(),
            more_remarks: output.more_remarks,
            snapshots: snapshots
                .map(|Snapshot { name, made }| SnapshotView { name, made_at: made })
                .collect(),
        })
    }

    pub(super) async fn collect(&self, collect: CollectWorkspace) -> Result<CollectedWorkspace, ApiError> {
        let CollectWorkspace { server: name, to } = collect;
        let server = self.in_force(&name)?;
        let _held = self.0.names.hold(&name, "collected from")?;
        let collected = self.0.sandbox.collect(&name, &server, to).await?;
        Ok(CollectedWorkspace { folder: collected.folder, copied: copied(collected.report) })
    }

    pub(super) async fn snapshot(&self, snapshot: SnapshotWorkspace) -> Result<TakenSnapshot, ApiError> {
        let SnapshotWorkspace { server: name, name: wanted } = snapshot;
        let server = self.in_force(&name)?;
        let _held = self.0.names.hold(&name, "kept in a snapshot")?;
        let dated = || utc::stamp(std::time::SystemTime::now()).parse::<SnapshotName>();
        let snapshot = wanted.map_or_else(dated, Ok);
        let snapshot = snapshot.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let report = self.0.sandbox.snapshot(&name, &server, &snapshot).await?;
        Ok(TakenSnapshot { name: snapshot, copied: copied(report) })
    }

    pub(super) async fn restore(&self, restore: RestoreWorkspace) -> Result<CopyView, ApiError> {
        let RestoreWorkspace { server: name, snapshot } = restore;
        let server = self.in_force(&name)?;
        let _held = self.0.names.hold(&name, "restored")?;
        let report = self.0.sandbox.restore(&name, &server, &snapshot).await?;
        self.configured(Some(&name), Part::Workspace, snapshot.as_str(), "put back");
        Ok(copied(report))
    }

    pub(super) async fn drop_snapshot(&self, drop: DropSnapshot) -> Result<Done, ApiError> {
        let DropSnapshot { server: name, snapshot } = drop;
        self.listed(&name)?;
        let _held = self.0.names.hold(&name, "changed")?;
        self.0.sandbox.drop_snapshot(&name, &snapshot).await?;
        Ok(Done {})
    }

    pub(super) async fn reset(&self, reset: ResetWorkspace) -> Result<Done, ApiError> {
        let name = reset.server;
        let server = self.in_force(&name)?;
        let _held = self.0.names.hold(&name, "emptied")?;
        self.0.sandbox.reset(&name, &server).await?;
        self.configured(Some(&name), Part::Workspace, "", "emptied");
        Ok(Done {})
    }
}

fn copied(report: FilesReport) -> CopyView {
    CopyView {
        files: report.files,
        bytes: report.bytes,
        remarks: report.remarks.into_iter().map(remark).collect(),
        more_remarks: report.more_remarks,
    }
}

fn remark(remark: FileRemark) -> WorkspaceRemark {
    let FileRemark { path, what, detail } = remark;
    let text = match what {
        FileFate::Symlink => "a symbolic link: left out",
        FileFate::Special => "a pipe, a socket or a device: left out",
        FileFate::TooLarge => "larger than what may be collected: left out",
        FileFate::TooDeep => "in too many folders: left out with all in it",
        FileFate::Unusable => "left out",
        FileFate::Changed => "changed while it was copied",
        FileFate::Renamed => "renamed, since its name could mislead",
        FileFate::TooMany => "too many files: left out, and all after it",
    };
    let text = detail.map_or_else(|| text.to_owned(), |detail| format!("{text} ({detail})"));
    WorkspaceRemark { path, text }
}
