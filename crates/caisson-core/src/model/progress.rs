use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use ts_rs::TS;

/// A step of something long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Progress {
    /// What is being done, in a few words: `Installing packages`.
    pub step: String,
    /// What about it, for people; may come from a registry or a server, so shown escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How much of the step is done, from 0 to 1, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

/// Where progress is told. Nobody listening is no error.
#[derive(Clone, Debug)]
pub struct ProgressSink(Option<mpsc::UnboundedSender<Progress>>);

impl ProgressSink {
    /// A sink and the end it is read from.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Progress>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// A sink nobody reads.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Tells that `step` has begun.
    pub fn step(&self, step: impl Into<String>) {
        self.tell(Progress { step: step.into(), detail: None, fraction: None });
    }

    /// Tells a detail of `step`.
    pub fn detail(&self, step: impl Into<String>, detail: impl Into<String>) {
        self.tell(Progress { step: step.into(), detail: Some(detail.into()), fraction: None });
    }

    /// Tells `progress`.
    pub fn tell(&self, progress: Progress) {
        if let Some(sender) = &self.0 {
            drop(sender.send(progress));
        }
    }
}
