use crate::{
    gate::principal::Visit,
    model::{By, Digest, Marks, ServerName},
};

/// What is to be asked.
#[derive(Clone, Debug)]
pub(in crate::gate) struct Asking {
    pub(in crate::gate) visit: Visit,
    pub(in crate::gate) server: ServerName,
    pub(in crate::gate) tool: String,
    pub(in crate::gate) marks: Marks,
    /// The tool's definition, where it is known.
    pub(in crate::gate) definition: Option<Digest>,
    /// What arguments the call has. With another, it is another question.
    pub(in crate::gate) fingerprint: Digest,
    /// They, for reading.
    pub(in crate::gate) arguments: String,
    pub(in crate::gate) by: By,
}

impl Asking {
    /// Whether an answer to one answers the other too.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.visit == other.visit
            && self.server == other.server
            && self.tool == other.tool
            && self.definition == other.definition
            && self.fingerprint == other.fingerprint
    }
}
