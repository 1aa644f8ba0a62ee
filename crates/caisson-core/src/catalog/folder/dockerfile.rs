//! What a `Dockerfile` may ask of an engine. Its commands run in the engine's build containers; but some instructions
//! make the engine itself act, on this machine and with its rights: fetch an address (`ADD http://…`), take a folder or
//! an archive of this machine for an image (`FROM dir:…`), mount what a link of the context leads to (`RUN --mount`,
//! CVE-2024-1753). None of these is passed on. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What a Dockerfile is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// The images it names, in order, each once.
    pub(super) images: Vec<String>,
}

/// Why a Dockerfile is not built; follows the folder's path in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has a Dockerfile that is not built: line {line} {why}")]
pub(super) struct Refused {
    line: usize,
    why: &'static str,
}

/// Names that, before a colon, make of an image's name a place of the engine's machine (containers-transports(5)).
const TRANSPORTS: [&str; 12] = [
    "atomic",
    "containers-storage",
    "dir",
    "docker",
    "docker-archive",
    "docker-daemon",
    "oci",
    "oci-archive",
    "openshift",
    "ostree",
    "sif",
    "tarball",
];
/// All there are (Dockerfile reference).
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// How lines become instructions, where engines and their versions differ. What one of them would read as an
/// instruction must not pass as the middle of another.
#[derive(Clone, Copy)]
struct Reading {
    /// A comment that is indented belongs to the instruction it stands in.
    indented_is_text: bool,
    /// An empty line ends an instruction that goes on.
    empty_ends: bool,
    /// A line that ends in two backslashes goes on.
    two_go_on: bool,
}

/// As today's engines do.
const USUAL: Reading = Reading { indented_is_text: false, empty_ends: false, two_go_on: false };

impl Dockerfile {
    /// Reads a Dockerfile.
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let text = text.trim_start_matches('\u{feff}');
        if let Some(line) = text.lines().position(is_escape_directive) {
            return Err(Refused {
                line: line + 1,
                why: "chooses another escape character: use the backslash",
            });
        }
        for bits in 1..8u8 {
            let reading = Reading {
                indented_is_text: bits & 1 != 0,
                empty_ends: bits & 2 != 0,
                two_go_on: bits & 4 != 0,
            };
            for (_, instruction) in instructions(text, reading) {
                let mut stages = Stages::default();
                // Told with the line of the usual reading, where it is one there.
                if let Err(why @ (REMOTE | FLAG | PLACE | HEREDOC)) = stages.check(&instruction) {
                    let line = instructions(text, USUAL)
                        .iter()
                        .rfind(|(_, usual)| *usual == instruction)
                        .map_or(1, |(line, _)| *line);
                    return Err(Refused { line, why });
                }
            }
        }
        let mut stages = Stages::default();
        for (line, instruction) in instructions(text, USUAL) {
            stages.check(&instruction).map_err(|why| Refused { line, why })?;
        }
        Ok(Self { images: stages.images })
    }
}

/// Checks what an image makes its heirs do (`ONBUILD`).
pub(super) fn check_trigger(instruction: &str) -> Result<(), &'static str> {
    Stages::default().check(instruction)
}

const REMOTE: &str = "fetches from an address, which the engine would do by itself, past every rule: put the file into the folder, and name it plainly";
const FLAG: &str =
    "has a flag that Caisson does not pass on: mounts, networks and the like could reach this machine";
const PLACE: &str = "names no image of a registry, but what could be a place on this machine";
const HEREDOC: &str =
    "holds a here-document, which engines read differently: put its text into a file, and COPY that";
const UNKNOWN: &str = "is no instruction that Caisson knows";
const UNRESOLVED: &str = "names an image by a variable that has no value in the Dockerfile";

/// What is known while a Dockerfile is read from top to bottom.
#[derive(Default)]
struct Stages {
    /// Arguments before the first `FROM`, the ones it knows.
    arguments: BTreeMap<String, String>,
    names: BTreeSet<String>,
    begun: bool,
    images: Vec<String>,
}

impl Stages {
    fn check(&mut self, instruction: &str) -> Result<(), &'static str> {
        let (keyword, rest) = instruction.split_once([' ', '\t']).unwrap_or((instruction, ""));
        let rest = rest.trim();
        match keyword.to_ascii_uppercase().as_str() {
            "FROM" => self.from(rest),
            "ARG" => {
                self.arg(rest);
                Ok(())
            }
            "RUN" if rest.starts_with("--") => Err(FLAG),
            "RUN" => no_heredoc(rest),
            "ADD" => {
                no_heredoc(rest)?;
                let (_, sources) = flags(rest)?;
                // Without a colon there is no address, however it is quoted, escaped or put together.
                let plain = |c: char| c.is_alphanumeric() || " \t._-/*?[]\",@%+=~".contains(c);
                if sources.chars().all(plain) { Ok(()) } else { Err(REMOTE) }
            }
            "COPY" => {
                no_heredoc(rest)?;
                let (flags, _) = flags(rest)?;
                flags
                    .iter()
                    .filter_map(|flag| flag.strip_prefix("--from="))
                    .try_for_each(|from| self.image(from))
            }
            "ONBUILD" => self.check(rest),
            known if INSTRUCTIONS.contains(&known) => Ok(()),
            _ => Err(UNKNOWN),
        }
    }

    fn from(&mut self, rest: &str) -> Result<(), &'static str> {
        let (_, rest) = flags(rest)?;
        let mut words = rest.split_whitespace();
        let image = words.next().ok_or(UNKNOWN)?;
        let image = self.resolved(image).ok_or(UNRESOLVED)?;
        self.begun = true;
        self.image(&image)?;
        if let (Some(_), Some(name)) = (words.next(), words.next()) {
            self.names.insert(name.to_ascii_lowercase());
        }
        Ok(())
    }

    /// An image that is named: a stage of this Dockerfile, or one to be there before the build.
    fn image(&mut self, name: &str) -> Result<(), &'static str> {
        let known = name == "scratch"
            || self.names.contains(&name.to_ascii_lowercase())
            || name.chars().all(|c| c.is_ascii_digit());
        if known {
            return Ok(());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let place = name
            .split_once(':')
            .is_some_and(|(before, _)| TRANSPORTS.contains(&before.to_ascii_lowercase().as_str()));
        if name.is_empty()
            || !name.chars().all(plain)
            || name.starts_with(['/', '.', '-'])
            || name.contains(":/")
            || place
        {
            return Err(PLACE);
        }
        if !self.images.iter().any(|image| image == name) {
            self.images.push(name.to_owned());
        }
        Ok(())
    }

    fn arg(&mut self, rest: &str) {
        if self.begun {
            return;
        }
        for word in rest.split_whitespace() {
            if let Some((name, value)) = word.split_once('=')
                && let Some(value) = self.resolved(value.trim_matches(['"', '\'']))
            {
                self.arguments.insert(name.to_owned(), value);
            }
        }
    }

    /// A text with its variables replaced, in the forms `$A`, `${A}` and `${A:-default}`; none where one has no value.
    fn resolved(&self, text: &str) -> Option<String> {
        let Some((before, rest)) = text.split_once('$') else { return Some(text.to_owned()) };
        let (value, rest) = if let Some(braced) = rest.strip_prefix('{') {
            let (inside, rest) = braced.split_once('}')?;
            let (name, default) =
                inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
            (self.arguments.get(name).map(String::as_str).or(default)?, rest)
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (self.arguments.get(&rest[..end])?.as_str(), &rest[end..])
        };
        Some(format!("{before}{value}{}", self.resolved(rest)?))
    }
}

/// The flags an instruction begins with, and what follows. A flag that is quoted or escaped is refused: it may be
/// another than it seems.
fn flags(mut rest: &str) -> Result<(Vec<&str>, &str), &'static str> {
    let mut flags = Vec::new();
    while rest.starts_with("--") {
        let (flag, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-=_.,:/@${}".contains(c);
        if !flag.chars().all(plain) {
            return Err(FLAG);
        }
        flags.push(flag);
        rest = after.trim_start();
    }
    Ok((flags, rest))
}

fn no_heredoc(rest: &str) -> Result<(), &'static str> {
    let begins = |after: &str| {
        after.trim_start_matches(['-', '"', '\'']).starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    };
    if rest.split("<<").skip(1).any(begins) { Err(HEREDOC) } else { Ok(()) }
}

fn is_escape_directive(line: &str) -> bool {
    let Some((key, value)) = line.trim().strip_prefix('#').and_then(|comment| comment.split_once('=')) else {
        return false;
    };
    key.trim().eq_ignore_ascii_case("escape") && value.trim() != "\\"
}

/// The instructions of a Dockerfile with the lines they begin on, as one reading has them.
fn instructions(text: &str, reading: Reading) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let indented = line.starts_with([' ', '\t']);
        let comment =
            line.trim_start().starts_with('#') && !(goes_on && indented && reading.indented_is_text);
        if comment {
            continue;
        }
        if line.trim().is_empty() {
            goes_on &= !reading.empty_ends;
            continue;
        }
        let ended = line.trim_end_matches([' ', '\t', '\r']);
        let before = ended.strip_suffix('\\').filter(|before| reading.two_go_on || !before.ends_with('\\'));
        let part = before.unwrap_or(line);
        match found.last_mut() {
            Some((_, instruction)) if goes_on => instruction.push_str(part),
            Some(_) | None => found.push((number + 1, part.trim_start().to_owned())),
        }
        goes_on = before.is_some();
    }
    found
}

#[cfg(test)]
mod tests;
