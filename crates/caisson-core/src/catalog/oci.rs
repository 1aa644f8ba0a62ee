//! An image as it is: from the engine or, once, from a registry. Pinned by its id.

use super::{Catalog, CatalogError, InstallOptions, Resolved, error::shown, made::Made};
use crate::{
    engine::{Engine, EngineError, EngineFacts, ImageFacts},
    model::{ProgressSink, Source},
};

impl Catalog {
    /// Takes the image `reference`: the engine's own, else pulled.
    pub(super) async fn oci(
        &self,
        engine: &Engine,
        reference: &str,
        options: &InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Resolved, CatalogError> {
        let (image, pulled) = match engine.image(reference).await? {
            Some(image) => (image, false),
            None => (pull(engine, reference, progress).await?, true),
        };
        // A tag moves on; what was pulled is named by its digest. An image that was here stays as it was named.
        let exact = image.repo_digest.clone().filter(|_| pulled).unwrap_or_else(|| reference.to_owned());
        let made = Made::found(image.id.clone());
        from_image(engine.facts(), Source::Oci { reference: exact }, image, made, options)
    }
}

/// The image `reference`: the engine's own, else pulled.
pub(super) async fn image(
    engine: &Engine,
    reference: &str,
    progress: &ProgressSink,
) -> Result<ImageFacts, CatalogError> {
    match engine.image(reference).await? {
        Some(image) => Ok(image),
        None => pull(engine, reference, progress).await,
    }
}

async fn pull(engine: &Engine, reference: &str, progress: &ProgressSink) -> Result<ImageFacts, CatalogError> {
    progress.detail("Pulling the image", reference);
    match engine.pull(reference, progress).await {
        Err(EngineError::NotFound(reason) | EngineError::Refused { text: reason, .. }) => {
            Err(CatalogError::NoSuchImage { reference: reference.to_owned(), reason })
        }
        pulled => Ok(pulled?),
    }
}

/// What an image says of itself, as a server. Pure. Its environment is not copied: it applies at each start.
pub(super) fn from_image(
    facts: &EngineFacts,
    source: Source,
    image: ImageFacts,
    made: Made,
    options: &InstallOptions,
) -> Result<Resolved, CatalogError> {
    if (image.os.as_str(), image.arch.as_str()) != (facts.os.as_str(), facts.arch.as_str()) {
        return Err(CatalogError::WrongImagePlatform {
            image_of: source.to_string(),
            image: shown(&format!("{}/{}", image.os, image.arch)),
            engine: format!("{}/{}", facts.os, facts.arch),
        });
    }
    let command = command(&image.entrypoint, &image.cmd, options);
    if command.is_empty() {
        return Err(CatalogError::NoCommand { image_of: source.to_string() });
    }
    let workdir = Some(image.workdir).filter(|folder| !folder.is_empty()).map(Into::into);
    Ok(Resolved { workdir, ..Resolved::new(source, made, command) })
}

/// As `docker run` does: arguments take the place of the image's own, another program that of its entrypoint.
fn command(entrypoint: &[String], cmd: &[String], options: &InstallOptions) -> Vec<String> {
    let program = options.entry.as_ref().map_or(entrypoint, std::slice::from_ref);
    let arguments = match options.args.as_slice() {
        // Docker forgets the image's arguments when the program is another.
        [] if options.entry.is_some() => &[],
        [] => cmd,
        // Without an entrypoint the image's command is its program.
        given if program.is_empty() => return cmd.iter().take(1).chain(given).cloned().collect(),
        given => given,
    };
    program.iter().chain(arguments).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_put_together_as_docker_does() {
        let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        for (entrypoint, cmd, entry, args, run) in [
            ("node index.js", "", "", "", "node index.js"),
            ("node index.js", "--stdio", "", "", "node index.js --stdio"),
            ("node index.js", "--stdio", "", "--http", "node index.js --http"),
            ("", "python -m server", "", "", "python -m server"),
            ("", "server", "", "--verbose", "server --verbose"),
            ("node index.js", "--stdio", "/bin/other", "", "/bin/other"),
            ("node index.js", "--stdio", "/bin/other", "-x", "/bin/other -x"),
            ("", "", "", "", ""),
        ] {
            let options = InstallOptions {
                entry: Some(entry.to_owned()).filter(|entry| !entry.is_empty()),
                args: words(args),
                ..InstallOptions::default()
            };
            assert_eq!(command(&words(entrypoint), &words(cmd), &options), words(run));
        }
    }
}
