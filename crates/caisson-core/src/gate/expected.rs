use super::OpenCall;
use crate::audit::Written;
use crate::model::{RequestId, Statement};

/// What a server was asked, where something is done with the answer.
#[derive(Debug)]
pub enum Expected {
    /// A call.
    Call(OpenCall),
    /// To say what it is.
    Statement(RequestId, Statement),
}

impl Expected {
    /// The request's id; none for a call that wants no answer.
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Call(call) => call.id(),
            Self::Statement(id, _) => Some(id),
        }
    }

    /// The tool, when it is a call.
    pub(super) fn tool(&self) -> Option<&str> {
        match self {
            Self::Call(call) => Some(call.tool()),
            Self::Statement(..) => None,
        }
    }

    /// What it was to say, when it is no call.
    pub(super) fn statement(&self) -> Option<Statement> {
        match self {
            Self::Call(_) => None,
            Self::Statement(_, statement) => Some(*statement),
        }
    }

    /// It was answered with this message, which may be passed on when what is given back is ready.
    pub fn answered(self, message: &[u8]) -> Written {
        match self {
            Self::Call(call) => call.answered(message),
            Self::Statement(..) => Written::default(),
        }
    }
}
