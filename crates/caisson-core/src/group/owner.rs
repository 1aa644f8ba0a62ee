//! Whose a resource is. Its URI stays as its server gave it, since what servers say refers to it; so a group has to find
//! out which of its servers it belongs to. Where that is not sure, it is nobody's.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    call,
    front::{Asked, Front, INVALID_PARAMS, Params},
    lists::{self, Said},
};
use crate::{
    model::ServerName,
    sandbox::{Exchange, SandboxError},
};

/// What a server lists of its resources.
#[derive(Debug, Default)]
struct Shelf {
    server: Option<ServerName>,
    uris: Vec<String>,
    /// Templates (RFC 6570).
    templates: Vec<String>,
}

/// What each server of a group lists of its resources.
pub(super) struct Shelves(Vec<Shelf>);

/// Why a resource has no owner.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unowned {
    /// No server lists it, or anything like it.
    Unknown,
    /// Several do.
    Claimed(Vec<ServerName>),
}

/// Reads a resource.
pub(super) async fn read(front: &Front, asked: Asked, params: &Params<'_>) -> Result<Exchange, SandboxError> {
    match &params.uri {
        Some(uri) => ask(front, asked, uri, params).await,
        None => Ok(asked.refuse(INVALID_PARAMS, "uri must be the URI of a resource")),
    }
}

/// Asks the server whose resource it is.
pub(super) async fn ask(
    front: &Front,
    asked: Asked,
    uri: &str,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    let shelves = Shelves::of(front, params.meta).await;
    match shelves.owner(uri) {
        Ok(server) => {
            let message: Bytes = asked.message.clone();
            call::pass(front, &server, asked, message, params).await
        }
        Err(unowned) => Ok(asked.refuse(INVALID_PARAMS, &unowned.why(uri))),
    }
}

impl Shelves {
    /// Asks each server what it lists. One that does not answer owns nothing.
    pub(super) async fn of(front: &Front, meta: Option<&RawValue>) -> Self {
        let (resources, templates) = futures::join!(
            lists::gather(front, "resources/list", "resources", meta),
            lists::gather(front, "resources/templates/list", "resourceTemplates", meta),
        );
        // Both were asked of the same servers, unless the group has changed between.
        let shelf = |Said { server, answer }: Said<Vec<Box<RawValue>>>| {
            let theirs = templates.iter().find(|said| said.server == server);
            Shelf {
                uris: named(answer.as_deref().unwrap_or_default()),
                templates: named(theirs.and_then(|said| said.answer.as_deref().ok()).unwrap_or_default()),
                server: Some(server),
            }
        };
        Self(resources.into_iter().map(shelf).collect())
    }

    /// Whose `uri` is: of the one server that lists it; else of the one with the template that begins most like it; else
    /// of the only one that has resources of its scheme.
    pub(super) fn owner(&self, uri: &str) -> Result<ServerName, Unowned> {
        let listing = |shelf: &&Shelf| shelf.uris.iter().any(|listed| listed == uri);
        if let Some(owner) = only(self.0.iter().filter(listing)) {
            return owner;
        }
        let likeness = |shelf: &Shelf| {
            let literals = shelf.templates.iter().map(|template| literal(template));
            literals.filter(|literal| uri.starts_with(literal)).map(str::len).max().unwrap_or(0)
        };
        let most = self.0.iter().map(likeness).max().unwrap_or(0);
        if most > 0
            && let Some(owner) = only(self.0.iter().filter(|shelf| likeness(shelf) == most))
        {
            return owner;
        }
        let has_scheme = |shelf: &&Shelf| {
            let mut uris = shelf.uris.iter().chain(&shelf.templates);
            scheme(uri).is_some_and(|ours| uris.any(|other| scheme(other) == Some(ours)))
        };
        only(self.0.iter().filter(has_scheme)).unwrap_or(Err(Unowned::Unknown))
    }
}

impl Unowned {
    fn why(&self, uri: &str) -> String {
        match self {
            Self::Unknown => format!("no server of this group has a resource {uri:?}"),
            Self::Claimed(servers) => {
                let servers: Vec<&str> = servers.iter().map(ServerName::as_str).collect();
                format!("{} all claim the resource {uri:?}; read it from one of them", servers.join(", "))
            }
        }
    }
}

/// The only one there is; none when there is none at all.
fn only<'a>(shelves: impl Iterator<Item = &'a Shelf>) -> Option<Result<ServerName, Unowned>> {
    let mut servers: Vec<ServerName> = shelves.filter_map(|shelf| shelf.server.clone()).collect();
    match servers.len() {
        0 => None,
        1 => servers.pop().map(Ok),
        _ => Some(Err(Unowned::Claimed(servers))),
    }
}

fn named(items: &[Box<RawValue>]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(alias = "uriTemplate")]
        uri: String,
    }
    items.iter().filter_map(|item| Some(serde_json::from_str::<Named>(item.get()).ok()?.uri)).collect()
}

/// What a template says before its first expression.
fn literal(template: &str) -> &str {
    template.split_once('{').map_or(template, |(literal, _)| literal)
}

/// The scheme of a URI (RFC 3986, section 3.1).
fn scheme(uri: &str) -> Option<&str> {
    uri.split_once(':').map(|(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(server: &str, uris: &[&str], templates: &[&str]) -> Shelf {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Shelf { server: Some(server.parse().unwrap()), uris: owned(uris), templates: owned(templates) }
    }

    #[test]
    fn a_resource_has_one_owner_or_none() {
        let shelves = Shelves(vec![
            shelf("a", &["demo://1", "both://1"], &["demo://text/{id}"]),
            shelf("b", &["both://1", "file:///b"], &["demo://text/long/{id}", "same://{x}"]),
            shelf("c", &[], &["same://{y}"]),
        ]);
        let claimed = |servers: &[&str]| {
            Err(Unowned::Claimed(servers.iter().map(|server| server.parse().unwrap()).collect()))
        };
        let of = |server: &str| Ok(server.parse::<ServerName>().unwrap());
        for (uri, owner) in [
            ("demo://1", of("a")),
            ("demo://text/7", of("a")),
            ("demo://text/long/7", of("b")),
            ("file:///elsewhere", of("b")),
            ("both://1", claimed(&["a", "b"])),
            ("same://1", claimed(&["b", "c"])),
            ("demo://other", claimed(&["a", "b"])),
            ("other://1", Err(Unowned::Unknown)),
            ("", Err(Unowned::Unknown)),
        ] {
            assert_eq!(shelves.owner(uri), owner, "{uri}");
        }
    }
}
