//! The decisions: pure functions over values. What is not known is denied.

use std::{borrow::Cow, fmt, time::SystemTime};

use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Denial, Permit, Permitted, Principal, Scope, ToolScope, Who,
    tokens::{Token, TokenState},
};
use crate::model::{Endpoint, Envelope, EnvelopeKind, Group, GroupName, Groups, ServerName, passes_for};

/// Whether a known token is good at this time.
pub(super) fn token_holds(token: &Token, now: SystemTime) -> Result<(), Denial> {
    match token.state(now) {
        TokenState::Holds => Ok(()),
        TokenState::Expired => Err(Denial::ExpiredToken),
        TokenState::Revoked => Err(Denial::RevokedToken),
    }
}

/// Whether the numbers may be read. A collector's token is for nothing else, and a token for servers is not for it.
pub(super) fn meter(principal: &Principal) -> Result<(), Denial> {
    match principal.who() {
        Who::Local(_) => Ok(()),
        Who::Client(client) if *client.scope == Scope::Metrics => Ok(()),
        Who::Client(_) => Err(Denial::Metrics),
    }
}

/// Whether a session may be opened.
pub(super) fn open(principal: &Principal, endpoint: &Endpoint, groups: &Groups) -> Result<Permit, Denial> {
    use_at_all(principal, endpoint, groups)?;
    Ok(Permit::new(endpoint.clone(), Permitted::Session, principal.caller()))
}

/// Whether something of an endpoint may be used.
pub(super) fn use_at_all(principal: &Principal, endpoint: &Endpoint, groups: &Groups) -> Result<(), Denial> {
    match endpoint {
        Endpoint::Server(server) => tools(principal, server, groups).map(drop),
        Endpoint::Group(group) => some_of(principal, group, groups),
    }
}

/// Whether a group, or a server of it, may be used.
fn some_of(principal: &Principal, group: &GroupName, groups: &Groups) -> Result<(), Denial> {
    let named = match principal.who() {
        Who::Local(_) => true,
        Who::Client(client) => client.scope.names(&group.clone().into()),
    };
    let mut servers = groups.get(group).into_iter().flat_map(Group::servers);
    if named || servers.any(|server| tools(principal, server, groups).is_ok()) {
        Ok(())
    } else {
        Err(Denial::Group { group: group.clone() })
    }
}

/// A message that is within its sender's scope.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InScope<'a> {
    /// It calls a tool of this server.
    Call { server: &'a ServerName, tool: Cow<'a, str>, arguments: Option<Unread<'a>> },
    /// It is anything else. What its sender may hear of is these tools.
    Else(&'a ToolScope),
}

/// Whether one message is within its sender's scope. What a group makes of it for its servers is decided for each of
/// them.
pub(super) fn scope<'a>(
    principal: &'a Principal,
    endpoint: &'a Endpoint,
    groups: &Groups,
    envelope: &Envelope<'a>,
    kind: EnvelopeKind,
) -> Result<InScope<'a>, Denial> {
    let server = match endpoint {
        // What it puts together, each of its servers was asked for on the same principal's behalf.
        Endpoint::Group(group) => {
            return some_of(principal, group, groups).map(|()| InScope::Else(&ToolScope::All));
        }
        Endpoint::Server(server) => server,
    };
    let tools = tools(principal, server, groups)?;
    // A call without an id is no request, and a careless server runs it all the same.
    let calls = matches!(kind, EnvelopeKind::Request | EnvelopeKind::Notification)
        && envelope.method.as_deref() == Some("tools/call");
    if !calls {
        return Ok(InScope::Else(tools));
    }
    let Called { tool, arguments } = called(envelope).ok_or(Denial::NamelessCall)?;
    if !tools.has(&tool) {
        return Err(Denial::Tool { server: server.clone(), tool: tool.into_owned() });
    }
    Ok(InScope::Call { server, tool, arguments })
}

/// Which tools of a server may be called; a denial when it may not be used at all.
fn tools<'a>(
    principal: &'a Principal,
    server: &ServerName,
    groups: &Groups,
) -> Result<&'a ToolScope, Denial> {
    match principal.who() {
        Who::Local(_) => Ok(&ToolScope::All),
        Who::Client(client) => {
            client.scope.of(server, groups).ok_or_else(|| Denial::Server { server: server.clone() })
        }
    }
}

/// What a call says of itself.
#[derive(Debug, PartialEq)]
struct Called<'a> {
    tool: Cow<'a, str>,
    arguments: Option<Unread<'a>>,
}

/// Arguments, as the bytes they came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread<'a>(pub(super) &'a RawValue);

impl PartialEq for Unread<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Unread<'_> {}

/// The tool a call names, and its arguments. Where one of the two stands twice, or by a name that a careless server
/// would take for it too, there is none: the server might run the other one. Nor is there one in a list: MCP's parameters
/// are an object.
fn called<'a>(envelope: &Envelope<'a>) -> Option<Called<'a>> {
    let mut params = serde_json::Deserializer::from_str(envelope.params?.get());
    params.deserialize_map(CalledVisitor).ok()?
}

struct CalledVisitor;

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for CalledVisitor {
    type Value = Option<Called<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parameters of a tool call")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut params: A) -> Result<Self::Value, A::Error> {
        let (mut name, mut arguments) = (None, None);
        while let Some(Text(key)) = params.next_key()? {
            if key == "name" {
                let Text(value) = params.next_value()?;
                if name.replace(value).is_some() {
                    return Err(A::Error::duplicate_field("name"));
                }
            } else if key == "arguments" {
                if arguments.replace(Unread(params.next_value()?)).is_some() {
                    return Err(A::Error::duplicate_field("arguments"));
                }
            } else if passes_for(&key, "name") || passes_for(&key, "arguments") {
                return Err(A::Error::custom("a field may be taken for another"));
            } else {
                params.next_value::<IgnoredAny>()?;
            }
        }
        Ok(name.map(|tool| Called { tool, arguments }))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::{Duration, UNIX_EPOCH},
    };

    use super::*;
    use crate::gate::LocalCaller;

    fn name(name: &str) -> ServerName {
        name.parse().unwrap()
    }

    fn token(scope: Scope) -> Token {
        Token::of("test", scope, Some(UNIX_EPOCH + Duration::from_secs(100)))
    }

    fn one_tool() -> Principal {
        let tools = ToolScope::Only(BTreeSet::from(["echo".to_owned()]));
        Principal::client(token(Scope::Only(BTreeMap::from([(name("a").into(), tools)]))))
    }

    #[test]
    fn a_token_holds_until_it_expires_or_is_revoked() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut token = token(Scope::All);
        assert_eq!(token_holds(&token, at(99)), Ok(()));
        assert_eq!(token_holds(&token, at(100)), Err(Denial::ExpiredToken));
        token.revoked = true;
        assert_eq!(token_holds(&token, at(1)), Err(Denial::RevokedToken));
        token.revoked = false;
        token.expires = None;
        assert_eq!(token_holds(&token, at(u64::from(u32::MAX))), Ok(()));
    }

    #[test]
    fn a_session_is_for_the_servers_in_scope() {
        let open = |principal: &Principal, server: &str| {
            super::open(principal, &name(server).into(), &Groups::new())
        };
        let some = Principal::client(token(Scope::only([name("a").into()])));
        assert_eq!(open(&some, "a").map(|permit| permit.what()), Ok(Permitted::Session));
        assert_eq!(open(&some, "b").map(drop), Err(Denial::Server { server: name("b") }));
        for all in [Principal::client(token(Scope::All)), Principal::local(LocalCaller::Shim)] {
            assert_eq!(open(&all, "b").map(|permit| permit.server().cloned()), Ok(Some(name("b"))));
        }
        for none in [Scope::only([]), Scope::Metrics] {
            assert!(open(&Principal::client(token(none)), "a").is_err());
        }
    }

    #[test]
    fn the_numbers_are_for_a_collector_and_the_user() {
        let client = |scope| meter(&Principal::client(token(scope)));
        assert_eq!(client(Scope::Metrics), Ok(()));
        assert_eq!(meter(&Principal::local(LocalCaller::Control)), Ok(()));
        for scope in [Scope::All, Scope::only([]), Scope::only([name("a").into()])] {
            assert_eq!(client(scope), Err(Denial::Metrics));
        }
        let groups = Groups::from([("work".parse().unwrap(), Group::new(vec![name("a")], false).unwrap())]);
        let collector = Principal::client(token(Scope::Metrics));
        for endpoint in ["a", "group/work"] {
            assert!(use_at_all(&collector, &endpoint.parse().unwrap(), &groups).is_err(), "{endpoint}");
        }
    }

    #[test]
    fn a_group_opens_its_servers_and_no_others() {
        let group = |servers: &[&str]| {
            Group::new(servers.iter().map(|server| name(server)).collect(), false).unwrap()
        };
        let groups = Groups::from([
            ("work".parse().unwrap(), group(&["a", "b"])),
            ("home".parse().unwrap(), group(&["c"])),
        ]);
        let endpoint = |text: &str| text.parse::<Endpoint>().unwrap();
        let can = |scope: &[&str], what: &str| {
            let scope = Scope::only(scope.iter().map(|text| endpoint(text)));
            use_at_all(&Principal::client(token(scope)), &endpoint(what), &groups)
        };
        for (scope, what, may) in [
            (&["group/work"][..], "group/work", true),
            (&["group/work"], "a", true),
            (&["group/work"], "c", false),
            (&["group/work"], "group/home", false),
            // Of a group it sees what it may use by itself.
            (&["a"], "group/work", true),
            (&["a"], "b", false),
            (&["a"], "group/home", false),
            // A group that is gone opens nothing but itself, which nobody finds.
            (&["group/gone"], "group/gone", true),
            (&["group/gone"], "a", false),
            (&["a"], "group/gone", false),
        ] {
            assert_eq!(can(scope, what).is_ok(), may, "{scope:?} {what}");
        }
        let denied = Denial::Group { group: "home".parse().unwrap() };
        assert_eq!(can(&["a"], "group/home"), Err(denied));

        // A group gives every tool of its servers, whatever else the token says of one of them.
        let only = ToolScope::Only(BTreeSet::from(["echo".to_owned()]));
        let scope = Scope::Only([(endpoint("a"), only), (endpoint("group/work"), ToolScope::All)].into());
        assert_eq!(scope.of(&name("a"), &groups), Some(&ToolScope::All));
    }

    #[test]
    fn a_call_is_for_the_tools_in_scope() {
        let admitted = |principal: &Principal, message: &str| {
            let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
            let endpoint = name("a").into();
            scope(principal, &endpoint, &Groups::new(), &envelope, kind).map(|scope| match scope {
                InScope::Call { tool, arguments, .. } => {
                    format!("{tool} {}", arguments.map_or("", |Unread(arguments)| arguments.get()))
                }
                InScope::Else(tools) => {
                    assert_eq!(tools.has("other"), matches!(principal.who(), Who::Local(_)));
                    String::new()
                }
            })
        };
        let call =
            |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let denied = |tool: &str| Err(Denial::Tool { server: name("a"), tool: tool.to_owned() });
        for (message, expected) in [
            (call(r#"{"name":"echo","arguments":{"a": 1}}"#), Ok(r#"echo {"a": 1}"#.to_owned())),
            (call(r#"{"x":[{}],"name":"\u0065cho"}"#), Ok("echo ".to_owned())),
            (call(r#"{"name":"echo","arguments":{},"arguments":{"a":1}}"#), Err(Denial::NamelessCall)),
            (call(r#"{"name":"echo","arguments":{},"Arguments":{"a":1}}"#), Err(Denial::NamelessCall)),
            (call(r#"{"name":"other"}"#), denied("other")),
            (call(r#"{"name":"ECHO"}"#), denied("ECHO")),
            (call(r#"{"name":"echo","name":"other"}"#), Err(Denial::NamelessCall)),
            (call(r#"{"name":"echo","n\u0061me":"other"}"#), Err(Denial::NamelessCall)),
            (call(r#"{"name":["echo"]}"#), Err(Denial::NamelessCall)),
            (call(r#"{"name":"echo","Name":"other"}"#), Err(Denial::NamelessCall)),
            (call(r#"{"Name":"echo"}"#), Err(Denial::NamelessCall)),
            (call(r#"["echo"]"#), Err(Denial::NamelessCall)),
            (call("null"), Err(Denial::NamelessCall)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#.to_owned(), Err(Denial::NamelessCall)),
            (
                r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"other"}}"#.to_owned(),
                denied("other"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"other"}}"#.to_owned(),
                denied("other"),
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned(), Ok(String::new())),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(), Ok(String::new())),
        ] {
            assert_eq!(admitted(&one_tool(), &message), expected, "{message}");
            let nameless = expected == Err(Denial::NamelessCall);
            let local = admitted(&Principal::local(LocalCaller::Control), &message);
            assert_eq!(local.is_err(), nameless, "{message}");
        }
    }
}
