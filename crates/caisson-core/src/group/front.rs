//! One group as one client sees it: which of its servers answers what.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::{call, discover, listen, lists, members::Members, owner, search};
use crate::{
    gate::{Admission, CallerId, Denial, Gate, Principal},
    model::{self, Envelope, EnvelopeKind, Group, GroupName, RequestId, ServerName, error_response},
    sandbox::{Exchange, LISTS, SandboxError, Stateless},
};

/// JSON-RPC: not a request at all.
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: the method is not known.
const NO_SUCH_METHOD: i32 = -32601;
/// JSON-RPC: the parameters are not what the method takes. MCP 2026-07-28 also answers so for what is not there.
pub(super) const INVALID_PARAMS: i32 = -32602;

/// One group, for one client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) name: GroupName,
    pub(super) principal: Principal,
    pub(super) gate: Gate,
    pub(super) members: Arc<dyn Members>,
    pub(super) known: watch::Receiver<Arc<model::Groups>>,
}

/// A request to a group.
pub(super) struct Asked {
    pub(super) id: RequestId,
    pub(super) message: Bytes,
}

/// What is read of a request's parameters.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(rename = "_meta", borrow)]
    pub(super) meta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(rename = "ref", borrow)]
    pub(super) reference: Option<&'a RawValue>,
    #[serde(rename = "taskId", borrow)]
    pub(super) task: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) notifications: Option<&'a RawValue>,
}

impl Stateless for Front {
    fn ask(&self, _: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let (method, asked) = match Envelope::read(&request) {
                Ok((Envelope { id: Some(id), method: Some(method), .. }, EnvelopeKind::Request)) => {
                    (method.into_owned(), Asked { id, message: request.clone() })
                }
                _ => {
                    return Ok(Exchange::answered(error_response(None, INVALID_REQUEST, "it is no request")));
                }
            };
            let Some(group) = self.group() else {
                return Ok(asked.refuse(INVALID_PARAMS, &format!("there is no group {} any more", self.name)));
            };
            self.answer(&group, &method, asked).await
        })
    }
}

impl Front {
    async fn answer(&self, group: &Group, method: &str, asked: Asked) -> Result<Exchange, SandboxError> {
        let message = asked.message.clone();
        let params = Params::of(&message);
        let Some(params) = params else {
            return Ok(
                asked.refuse(INVALID_PARAMS, "params must be an object with fields of the right kinds")
            );
        };
        match method {
            "server/discover" => Ok(discover::discover(self, &asked, params.meta).await),
            "tools/list" if group.search() => Ok(search::list(&asked)),
            "tools/call" if group.search() && search::is_own(params.name.as_deref()) => {
                search::call(self, group, asked, &params).await
            }
            "tools/call" | "prompts/get" => call::by_name(self, group, asked, &params).await,
            "resources/read" => owner::read(self, asked, &params).await,
            "completion/complete" => call::complete(self, group, asked, &params).await,
            "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => {
                call::by_task(self, group, asked, &params).await
            }
            "subscriptions/listen" => Ok(listen::listen(self.clone(), asked, &params)),
            method => match LISTS.iter().find(|(list, _)| *list == method) {
                Some((list, items)) => Ok(lists::list(self, &asked, list, items, &params).await),
                None => Ok(asked.refuse(NO_SUCH_METHOD, &format!("a group knows no method {method:?}"))),
            },
        }
    }

    /// The group as it is at the moment.
    pub(super) fn group(&self) -> Option<Group> {
        self.known.borrow().get(&self.name).cloned()
    }

    /// Its servers that are installed and that the client may use, in the user's order.
    pub(super) fn servers(&self) -> Vec<ServerName> {
        let group = self.group();
        let servers = group.iter().flat_map(|group| group.servers()).filter(|server| {
            let may_use = self.gate.may_use(&self.principal, &(*server).clone().into());
            may_use.is_ok() && self.members.state(server).is_some()
        });
        servers.cloned().collect()
    }

    /// Asks a server of the group, if the gate permits.
    pub(super) async fn ask_member(
        &self,
        server: &ServerName,
        message: Bytes,
    ) -> Result<Result<Exchange, Denial>, SandboxError> {
        let Ok((envelope, kind)) = Envelope::read(&message) else { return Err(SandboxError::WrongPermit) };
        match self.gate.admit(&self.principal, &server.clone().into(), &message, (&envelope, kind)) {
            Admission::Permitted(permit) => self.members.ask(permit, message).await.map(Ok),
            Admission::Denied(denial) => Ok(Err(denial)),
            Admission::Asked(asked) => {
                let members = Arc::clone(&self.members);
                Ok(Ok(Exchange::when_allowed(asked, move |permit| {
                    Box::pin(async move { members.ask(permit, message).await })
                })))
            }
        }
    }
}

impl Asked {
    /// An exchange that is over with an error.
    pub(super) fn refuse(&self, code: i32, why: &str) -> Exchange {
        Exchange::answered(error_response(Some(&self.id), code, why))
    }

    /// An exchange that is over with the error of a denial.
    pub(super) fn deny(&self, denial: &Denial) -> Exchange {
        Exchange::answered(denial.response(&self.id))
    }

    /// An exchange that is over with a result, which is JSON.
    pub(super) fn answered(&self, result: &str) -> Exchange {
        // An id that was read can be written.
        let id = serde_json::to_string(&self.id).unwrap_or_default();
        Exchange::answered(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    }
}

impl<'a> Params<'a> {
    pub(super) fn of(request: &'a [u8]) -> Option<Self> {
        let (envelope, _) = Envelope::read(request).ok()?;
        match envelope.params {
            None => Some(Self::default()),
            Some(params) if params.get().starts_with('{') => serde_json::from_str(params.get()).ok(),
            Some(_) => None,
        }
    }
}
