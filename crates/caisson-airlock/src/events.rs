use caisson_wire::{AirlockEvent, frame};
use tokio::{io::AsyncWrite, sync::mpsc};

/// Events that wait for a host that is slow to read them.
const MOST_WAITING: usize = 256;

/// Tells the host what happens. However much happens, what waits to be told is bounded.
#[derive(Clone)]
pub(crate) struct Events(mpsc::Sender<AirlockEvent>);

impl Events {
    /// Starts to write events to the control stream, in the order they are told.
    pub(crate) fn start<W: AsyncWrite + Unpin + Send + 'static>(mut control: W) -> Self {
        let (sender, mut events) = mpsc::channel(MOST_WAITING);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if frame::write(&mut control, &event).await.is_err() {
                    // Nobody listens any more. The end of the control stream ends the airlock elsewhere.
                    break;
                }
            }
        });
        Self(sender)
    }

    /// Tells what the host must learn: waits while the host is slow.
    pub(crate) async fn tell(&self, event: AirlockEvent) {
        drop(self.0.send(event).await);
    }

    /// Tells what is good to know: dropped while the host is slow.
    pub(crate) fn mention(&self, event: AirlockEvent) {
        drop(self.0.try_send(event));
    }

    /// Mentions something that went wrong.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.mention(AirlockEvent::Warning { text: text.into() });
    }
}
