//! The numbers, for programs that collect them: at one address, with a token for nothing else.

use futures::future::BoxFuture;
use hyper::{
    HeaderMap, Method, Response, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::{
    Inner,
    answer::Answer,
    edge,
    guard::{self, Door},
    rates::Turn,
    refusal::Refusal,
};

/// Where they are found.
pub(super) const PATH: &str = "/metrics";
/// Prometheus' text format.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Tells its numbers.
pub trait Meter: Send + Sync + 'static {
    /// All of them, in Prometheus' text format, version 0.0.4.
    fn read(&self) -> BoxFuture<'_, String>;
}

impl Inner {
    /// Whether a request is for the numbers, and they are told.
    pub(super) fn is_metered(&self, uri: &Uri) -> bool {
        self.meter.is_some() && uri.path() == PATH
    }

    /// Answers a request for the numbers. As for every other, it is first asked whether it may be here at all.
    pub(super) async fn meter(
        &self,
        door: Door,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(Response<Answer>, Turn), Refusal> {
        guard::host(door, headers, uri, self.port)?;
        guard::origin(headers)?;
        let principal = self.gate.authenticate(edge::bearer(headers)?).map_err(Refusal::Denied)?;
        self.gate.may_meter(&principal).map_err(Refusal::Denied)?;
        let turn = self.rates.take(principal.caller())?;
        if method != Method::GET {
            return Err(Refusal::Method("GET"));
        }
        let meter = self.meter.as_ref().ok_or(Refusal::Path)?;
        // Each reading asks engines: a collector that does not wait for one asks for no second beside it.
        let _alone = self.metering.lock().await;
        let mut response = Response::new(Answer::whole(meter.read().await));
        response.headers_mut().insert(CONTENT_TYPE, FORMAT);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok((response, turn))
    }
}
