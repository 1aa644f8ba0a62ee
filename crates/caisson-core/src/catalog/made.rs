use crate::{engine::Engine, model::Digest};

/// An image for a server. When an install made it and comes to nothing, it is removed again.
#[derive(Debug)]
pub(super) struct Made {
    image: Digest,
    /// Where it is to be removed; none for an image that was there before.
    remove_from: Option<Engine>,
}

impl Made {
    /// An image this install made.
    pub(super) fn by_us(image: Digest, engine: &Engine) -> Self {
        Self { image, remove_from: Some(engine.clone()) }
    }

    /// An image that stays, whatever becomes of the install.
    pub(super) fn found(image: Digest) -> Self {
        Self { image, remove_from: None }
    }

    /// The image, to be kept.
    pub(super) fn keep(mut self) -> Digest {
        self.remove_from = None;
        self.image.clone()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Without a runtime the process ends, and a labelled image stays.
        if let (Some(engine), Ok(runtime)) = (self.remove_from.take(), tokio::runtime::Handle::try_current())
        {
            let image = self.image.clone();
            runtime.spawn(async move {
                if let Err(error) = engine.remove_image(&image).await {
                    tracing::warn!(%error, %image, "could not remove the image of an install that came to nothing");
                }
            });
        }
    }
}
