//! Pulling images.

use std::{collections::BTreeMap, fmt::Write as _};

use bollard::{models::CreateImageInfo, query_parameters::CreateImageOptionsBuilder};

use super::{ImageFacts, with_tag};
use crate::{
    engine::{Engine, EngineError, client::LONG, error::tidy},
    model::{Progress, ProgressSink},
};

impl Engine {
    /// Pulls an image, without credentials. A name without tag and digest means `:latest`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the registry has none such, [`EngineError::PlatformMismatch`] when it has
    /// none for this engine's processor.
    pub async fn pull(&self, reference: &str, progress: &ProgressSink) -> Result<ImageFacts, EngineError> {
        const ACTION: &str = "pulling an image";
        let platform = format!("{}/{}", self.facts().os, self.facts().arch);
        let full = with_tag(reference);
        let options = CreateImageOptionsBuilder::new().from_image(&full).platform(&platform).build();
        let mut layers = Layers::default();
        let stream = self.docker().create_image(Some(options), None, None);
        let pulled = self
            .drain(ACTION, LONG, stream, |info| {
                progress.tell(layers.after(info));
                Ok(())
            })
            .await;
        let mismatch = |found| EngineError::PlatformMismatch {
            reference: tidy(reference),
            wanted: platform.clone(),
            found,
        };
        match pulled {
            Err(EngineError::Refused { text, .. } | EngineError::NotFound(text))
                if is_platform_error(&text) =>
            {
                return Err(mismatch(None));
            }
            Err(EngineError::Refused { text, .. }) if is_missing(&text) => {
                return Err(EngineError::NotFound(text));
            }
            other => other?,
        }
        let facts = self.known(ACTION, &full).await?;
        if facts.os != self.facts().os || facts.arch != self.facts().arch {
            return Err(mismatch(Some(format!("{}/{}", facts.os, facts.arch))));
        }
        Ok(facts)
    }
}

/// What registries and engines say when an image has no variant for a platform.
fn is_platform_error(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "no matching manifest for",
        "no image found in",
        "does not match the specified platform",
        "choosing an image from manifest list",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// What registries and engines say of an image that is not there.
fn is_missing(text: &str) -> bool {
    let text = text.to_lowercase();
    ["manifest unknown", "name unknown", "manifest for", "repository does not exist", "not found"]
        .iter()
        .any(|words| text.contains(words))
}

/// How far a pull is: the sum over its layers.
#[derive(Default)]
struct Layers(BTreeMap<String, (i64, i64)>);

impl Layers {
    fn after(&mut self, info: CreateImageInfo) -> Progress {
        let mut detail = tidy(&info.status.unwrap_or_default());
        if let Some(id) = info.id {
            let _infallible = write!(detail, " {}", tidy(&id));
            if let Some((current, total)) =
                info.progress_detail.and_then(|detail| detail.current.zip(detail.total))
            {
                self.0.insert(id, (current.clamp(0, total.max(0)), total.max(0)));
            }
        }
        let (current, total) = self.0.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
        let fraction = (total > 0).then(|| current as f64 / total as f64);
        Progress { step: "Pulling the image".to_owned(), detail: Some(detail), fraction }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn pull_progress_is_the_sum_over_layers() {
        let mut layers = Layers::default();
        let mut info = |id: &str, current, total| {
            layers.after(CreateImageInfo {
                id: Some(id.into()),
                status: Some("Downloading".into()),
                progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
                ..Default::default()
            })
        };
        assert_eq!(info("a", 50, 100).fraction, Some(0.5));
        assert_eq!(info("b", 0, 100).fraction, Some(0.25));
        assert_eq!(info("b", 500, 100).fraction, Some(0.75));
        assert_eq!(info("a", -5, 0).detail.as_deref(), Some("Downloading a"));
    }
}
