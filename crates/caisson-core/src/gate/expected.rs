use super::{OpenCall, ToolScope};
use crate::audit::Written;
use crate::model::{RequestId, Statement};

/// What a server was asked, where something is done with the answer.
#[derive(Debug)]
pub enum Expected {
    /// A call.
    Call(OpenCall),
    /// To say what it is.
    Statement {
        /// The request's id.
        id: RequestId,
        /// What it was to say.
        statement: Statement,
        /// The tools that whoever asked may hear of.
        tools: ToolScope,
    },
}

impl Expected {
    /// The request's id; none for a call that wants no answer.
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Call(call) => call.id(),
            Self::Statement { id, .. } => Some(id),
        }
    }

    /// The tool, when it is a call.
    pub(super) fn tool(&self) -> Option<&str> {
        match self {
            Self::Call(call) => Some(call.tool()),
            Self::Statement { .. } => None,
        }
    }

    /// What it was to say, when it is no call, and of which tools.
    pub(super) fn statement(&self) -> Option<(Statement, &ToolScope)> {
        match self {
            Self::Call(_) => None,
            Self::Statement { statement, tools, .. } => Some((*statement, tools)),
        }
    }

    /// It was answered with this message, which may be passed on when what is given back is ready.
    pub fn answered(self, message: &[u8]) -> Written {
        match self {
            Self::Call(call) => call.answered(message),
            Self::Statement { .. } => Written::default(),
        }
    }
}
