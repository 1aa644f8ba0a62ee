//! Every module's errors, as the control API tells them. Their texts say what happened, why and what to do.

use std::sync::Arc;

use super::anchors::KeepError;
use crate::{
    audit::AuditError,
    bridge::LocalError,
    catalog::CatalogError,
    control::api::{ApiError, ErrorCode},
    engine::EngineError,
    gate::{Denial, tokens::TokenError},
    registry::{RegistryError, SettingsError, StateError},
    sandbox::{FolderError, SandboxError, SessionError, StartError},
    secrets::SecretError,
};

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        let code = match &error {
            RegistryError::Exists(_) => ErrorCode::Exists,
            RegistryError::Missing(_) => ErrorCode::NotFound,
            RegistryError::Unwritable { .. } => ErrorCode::Invalid,
            RegistryError::Folder { .. }
            | RegistryError::Read { .. }
            | RegistryError::Write { .. }
            | RegistryError::Broken { .. }
            | RegistryError::Watch(_) => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        Self::new(ErrorCode::Storage, error.to_string())
    }
}

impl From<KeepError> for ApiError {
    fn from(error: KeepError) -> Self {
        Self::new(ErrorCode::Storage, error.to_string())
    }
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> Self {
        Self::new(ErrorCode::Storage, error.to_string())
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        Self::new(ErrorCode::Storage, error.to_string())
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match &error {
            TokenError::Random(_) => ErrorCode::Internal,
            TokenError::Lifetime => ErrorCode::Invalid,
            TokenError::State(_) => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        Self::new(ErrorCode::Refused, denial.to_string())
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        Self::new(secret_code(&error), error.to_string())
    }
}

fn secret_code(error: &SecretError) -> ErrorCode {
    match error {
        SecretError::Missing { .. } => ErrorCode::NotFound,
        SecretError::Empty { .. } | SecretError::TooLong { .. } => ErrorCode::Invalid,
        SecretError::Unavailable(_)
        | SecretError::Locked
        | SecretError::NoAnswer { .. }
        | SecretError::Stuck
        | SecretError::Refused { .. } => ErrorCode::Keychain,
        SecretError::State(_) => ErrorCode::Storage,
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self::new(engine_code(&error), error.to_string())
    }
}

fn engine_code(error: &EngineError) -> ErrorCode {
    match error {
        EngineError::NotFound(_) => ErrorCode::NotFound,
        EngineError::PlatformMismatch { .. } | EngineError::TooLarge { .. } => ErrorCode::Install,
        EngineError::NoEngine { .. }
        | EngineError::PermissionDenied { .. }
        | EngineError::InUse(_)
        | EngineError::Gone { .. }
        | EngineError::TimedOut { .. }
        | EngineError::OutOfDisk(_)
        | EngineError::Refused { .. }
        | EngineError::NoAirlock { .. } => ErrorCode::Engine,
    }
}

impl From<SandboxError> for ApiError {
    fn from(error: SandboxError) -> Self {
        let code = match &error {
            SandboxError::NoSuchServer(_) | SandboxError::NoSnapshot { .. } => ErrorCode::NotFound,
            SandboxError::NoWorkspace(_) | SandboxError::NoDestination(_) => ErrorCode::Invalid,
            SandboxError::SnapshotExists { .. } => ErrorCode::Exists,
            SandboxError::Running(_) => ErrorCode::Busy,
            SandboxError::Destination { .. } => ErrorCode::Storage,
            SandboxError::Paused => ErrorCode::Paused,
            SandboxError::WrongPermit => ErrorCode::Refused,
            SandboxError::Start { cause, .. } | SandboxError::Engine(cause) => start_code(cause),
            SandboxError::GaveUp { .. }
            | SandboxError::Stopped(_)
            | SandboxError::Full { .. }
            | SandboxError::Copy { .. }
            | SandboxError::Ended { .. } => ErrorCode::Server,
            SandboxError::ShutDown => ErrorCode::Daemon,
        };
        Self::new(code, error.to_string())
    }
}

fn start_code(cause: &Arc<StartError>) -> ErrorCode {
    match &**cause {
        StartError::Folder(error) => folder_code(error),
        StartError::Plan(_) => ErrorCode::Refused,
        StartError::Engine(error) => engine_code(error),
        StartError::NoImage(_) => ErrorCode::NotFound,
        StartError::Secret(error) => secret_code(error),
        StartError::Authorities(_) => ErrorCode::Storage,
        StartError::Airlock(_) | StartError::Launch(_) | StartError::Late(_) | StartError::Cancelled => {
            ErrorCode::Server
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        let code = match &error {
            SessionError::WrongPermit => ErrorCode::Refused,
            SessionError::TooLarge(_) => ErrorCode::Invalid,
            SessionError::Crowded
            | SessionError::LineTooLong
            | SessionError::NotStarted(_)
            | SessionError::Ended(_)
            | SessionError::Full(_)
            | SessionError::Protocol(_)
            | SessionError::Closed => ErrorCode::Server,
        };
        Self::new(code, error.to_string())
    }
}

impl From<LocalError> for ApiError {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::Denied(denial) => denial.into(),
            LocalError::Session(error) => error.into(),
            LocalError::Closed { .. }
            | LocalError::Silent { .. }
            | LocalError::Answered { .. }
            | LocalError::Protocol { .. } => Self::new(ErrorCode::Server, error.to_string()),
        }
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        let text = error.to_string();
        let code = match error {
            CatalogError::Engine(error) => return error.into(),
            CatalogError::Sandbox(error) => return error.into(),
            CatalogError::NoSuchPackage { .. }
            | CatalogError::NoSuchVersion { .. }
            | CatalogError::NoSuchImage { .. } => ErrorCode::NotFound,
            CatalogError::Entry { .. }
            | CatalogError::NoCommand { .. }
            | CatalogError::Folder { .. }
            | CatalogError::Setting { .. } => ErrorCode::Invalid,
            CatalogError::Unreachable { .. }
            | CatalogError::Certificate { .. }
            | CatalogError::Refused { .. }
            | CatalogError::WrongPlatform { .. }
            | CatalogError::WrongImagePlatform { .. }
            | CatalogError::NeedsScripts { .. }
            | CatalogError::DiskFull { .. }
            | CatalogError::Failed { .. }
            | CatalogError::TooLong { .. }
            | CatalogError::Authorities(_)
            | CatalogError::Build { .. }
            | CatalogError::NoBase { .. }
            | CatalogError::Artifact { .. }
            | CatalogError::Plan(_) => ErrorCode::Install,
        };
        Self::new(code, text)
    }
}

impl From<FolderError> for ApiError {
    fn from(error: FolderError) -> Self {
        Self::new(folder_code(&error), error.to_string())
    }
}

fn folder_code(error: &FolderError) -> ErrorCode {
    match error {
        FolderError::Missing(_) => ErrorCode::NotFound,
        FolderError::NotAFolder(_) | FolderError::Relative(_) | FolderError::NotUnicode(_) => {
            ErrorCode::Invalid
        }
        FolderError::Io { .. } => ErrorCode::Storage,
        FolderError::Refused { .. } => ErrorCode::Refused,
    }
}
