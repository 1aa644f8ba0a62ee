use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::super::{
    message::{Posted, ProgressToken, reports_progress},
    refusal::Refusal,
    sse::EventId,
    stream::{Reader, Stream},
};
use super::Carriage;
use crate::model::{Envelope, EnvelopeKind, RequestId};

/// Requests of the client that may be unanswered at a time.
const MOST_CALLS: usize = 256;
/// Event streams opened by GET that may be read at a time.
const MOST_LASTING: usize = 8;
/// Streams that have ended and are kept, so that a client which lost its connection can read them to the end.
const MOST_ENDED: usize = 8;
/// Requests of the server that may be unanswered at a time. Beyond that the oldest is forgotten.
const MOST_ASKED: usize = 1024;

/// Which stream each message of the server belongs on, and on no other.
pub(super) struct Routes {
    carriage: Carriage,
    /// Requests of the client, not yet answered.
    calls: HashMap<RequestId, Call>,
    /// Which of them a progress token belongs to.
    progress: HashMap<ProgressToken, RequestId>,
    /// Streams of requests, not yet ended, oldest first; without that of `initialize`.
    answering: Vec<Arc<Stream>>,
    /// Streams of requests that began to be sent as events, and can be resumed.
    resumable: BTreeMap<u32, Arc<Stream>>,
    /// Streams for what belongs to no request. The first is there from the start and gathers what is sent
    /// before a client listens.
    lasting: Vec<Arc<Stream>>,
    /// Requests of the server, not yet answered, oldest first.
    asked: VecDeque<RequestId>,
    /// The last number given to a post, or to a stream.
    last: u32,
}

/// A post whose answers are waited for.
pub(super) struct Begun {
    /// Its number; also that of its stream, where it has one.
    pub(super) post: u32,
    /// The reader of its answers; none where they go on the one stream.
    pub(super) reader: Option<Reader>,
}

struct Call {
    post: u32,
    stream: Arc<Stream>,
    progress: Option<ProgressToken>,
    /// When the server was last heard on it.
    heard: Instant,
}

impl Routes {
    pub(super) fn new(carriage: Carriage) -> Self {
        Self {
            carriage,
            calls: HashMap::new(),
            progress: HashMap::new(),
            answering: Vec::new(),
            resumable: BTreeMap::new(),
            lasting: vec![Stream::lasting(0)],
            asked: VecDeque::new(),
            last: 0,
        }
    }

    /// Begins to wait for the answers to the requests of `posted`; none when there are none.
    pub(super) fn begin(&mut self, posted: &Posted<'_>) -> Result<Option<Begun>, Refusal> {
        let wanted = posted.requests().count();
        if wanted == 0 {
            return Ok(None);
        }
        if self.calls.len() + wanted > MOST_CALLS {
            return Err(Refusal::TooManyCalls(self.calls.len()));
        }
        self.last += 1;
        let post = self.last;
        let (stream, reader) = match self.carriage {
            Carriage::ManyStreams => {
                let (stream, reader) = Stream::answering(post, wanted);
                (stream, Some(reader))
            }
            Carriage::OneStream => (Arc::clone(&self.lasting[0]), None),
        };
        for (id, message) in posted.requests() {
            if self.calls.contains_key(id) {
                let id = id.clone();
                self.forget(post);
                return Err(Refusal::DuplicateId(id));
            }
            // A token that another request uses stays with that one.
            let progress =
                message.envelope.progress_token().filter(|token| !self.progress.contains_key(token));
            if let Some(token) = &progress {
                self.progress.insert(token.clone(), id.clone());
            }
            self.calls.insert(
                id.clone(),
                Call { post, stream: Arc::clone(&stream), progress, heard: Instant::now() },
            );
        }
        // What the server says before it is initialized waits for a stream that can carry it.
        if reader.is_some() && !posted.initializes() {
            self.answering.push(stream);
        }
        Ok(Some(Begun { post, reader }))
    }

    /// Forgets a post and its requests: nothing was sent, or nobody can read the answers any more.
    pub(super) fn forget(&mut self, post: u32) {
        self.calls.retain(|_, call| call.post != post);
        let calls = &self.calls;
        self.progress.retain(|_, id| calls.contains_key(id));
        self.answering.retain(|stream| stream.number() != post);
        self.resumable.remove(&post);
    }

    /// Takes note that a stream is sent as events, so that it can be resumed.
    pub(super) fn keep(&mut self, stream: &Arc<Stream>) {
        self.resumable.insert(stream.number(), Arc::clone(stream));
        let ended: Vec<u32> = self
            .resumable
            .iter()
            .filter(|(_, stream)| stream.is_closed() && !stream.is_read())
            .map(|(number, _)| *number)
            .collect();
        for number in ended.iter().take(ended.len().saturating_sub(MOST_ENDED)) {
            self.resumable.remove(number);
        }
    }

    /// A reader for what belongs to no request.
    pub(super) fn listen(&mut self) -> Result<Reader, Refusal> {
        if let Some(free) = self.lasting.iter().find(|stream| !stream.is_read()) {
            return Ok(free.attach(None));
        }
        if self.lasting.len() >= MOST_LASTING {
            return Err(Refusal::TooManyStreams(self.lasting.len()));
        }
        self.last += 1;
        let stream = Stream::lasting(self.last);
        let reader = stream.attach(None);
        self.lasting.push(stream);
        Ok(reader)
    }

    /// A reader that resumes a stream after the event `seen`.
    pub(super) fn resume(&mut self, seen: EventId) -> Result<Reader, Refusal> {
        let lasting = self.lasting.iter().find(|stream| stream.number() == seen.stream);
        let stream = lasting.or_else(|| self.resumable.get(&seen.stream)).ok_or(Refusal::UnknownEvent)?;
        Ok(stream.attach(Some(seen.place)))
    }

    /// Puts a message of the server on its stream, and returns that; none when it has none, and is dropped.
    pub(super) fn deliver(
        &mut self,
        envelope: Envelope<'_>,
        kind: EnvelopeKind,
        message: Bytes,
    ) -> Option<Arc<Stream>> {
        if kind == EnvelopeKind::Response {
            let stream = self.take_call(&envelope.id?)?.stream;
            stream.push_answer(message);
            self.settle(&stream);
            return Some(stream);
        }
        let call =
            reports_progress(&envelope).and_then(|token| self.calls.get_mut(self.progress.get(&token)?));
        let own = call.map(|call| {
            call.heard = Instant::now();
            Arc::clone(&call.stream)
        });
        let stream = own.unwrap_or_else(|| self.unrelated());
        if let (EnvelopeKind::Request, Some(id)) = (kind, envelope.id) {
            if self.asked.len() >= MOST_ASKED {
                self.asked.pop_front();
            }
            self.asked.push_back(id);
        }
        stream.push(message);
        Some(stream)
    }

    /// Answers a request in the server's place.
    pub(super) fn answer(&mut self, id: &RequestId, message: Vec<u8>) {
        if let Some(call) = self.take_call(id) {
            call.stream.push_answer(message.into());
            self.settle(&call.stream);
        }
    }

    /// The requests on which nothing was heard for `limit`. While the server waits for the client's own answer, it
    /// is not the server that is silent.
    pub(super) fn silent(&mut self, limit: Duration) -> Vec<RequestId> {
        if !self.asked.is_empty() {
            self.calls.values_mut().for_each(|call| call.heard = Instant::now());
        }
        let silent = self.calls.iter().filter(|(_, call)| call.heard.elapsed() >= limit);
        silent.map(|(id, _)| id.clone()).collect()
    }

    /// Notes what a message of the client does to the routes. To be called once it is sure to be sent.
    pub(super) fn heard(&mut self, envelope: &Envelope<'_>, kind: EnvelopeKind) -> Result<(), Refusal> {
        match kind {
            EnvelopeKind::Response => {
                let asked =
                    envelope.id.as_ref().and_then(|id| self.asked.iter().position(|asked| asked == id));
                let shown = || envelope.id.as_ref().map_or_else(|| "null".to_owned(), RequestId::to_string);
                let position = asked.ok_or_else(|| Refusal::Unasked(shown()))?;
                self.asked.remove(position);
            }
            EnvelopeKind::Notification => {
                // Whoever cancels a request gets no answer to it (MCP 2025-11-25, "Cancellation").
                if let Some(call) = envelope.cancels().and_then(|id| self.take_call(&id)) {
                    call.stream.forgo_answer();
                    self.settle(&call.stream);
                }
            }
            EnvelopeKind::Request => {}
        }
        Ok(())
    }

    /// Answers every request with an error, closes every stream, and forgets them all.
    pub(super) fn end(&mut self, error: impl Fn(&RequestId) -> Vec<u8>) {
        for (id, call) in self.calls.drain() {
            call.stream.push_answer(error(&id).into());
        }
        for stream in &self.lasting {
            stream.close();
        }
        self.progress.clear();
        self.answering.clear();
        self.resumable.clear();
        self.asked.clear();
    }

    /// Closes the streams on which no answer is waited for.
    pub(super) fn stop_listening(&mut self) {
        let idle = self.carriage == Carriage::ManyStreams || !self.is_awaited();
        for stream in self.lasting.iter().filter(|_| idle) {
            stream.close();
        }
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_awaited(&self) -> bool {
        !self.calls.is_empty()
    }

    fn take_call(&mut self, id: &RequestId) -> Option<Call> {
        let call = self.calls.remove(id)?;
        if let Some(token) = &call.progress {
            self.progress.remove(token);
        }
        Some(call)
    }

    /// Lets go of a stream that has ended.
    fn settle(&mut self, stream: &Arc<Stream>) {
        if stream.is_closed() {
            self.answering.retain(|other| !Arc::ptr_eq(other, stream));
        }
    }

    /// The stream for what names no request. On standard output nothing says which request a message is
    /// about: with one request running it is that one; it then comes before its answer, as the server meant.
    fn unrelated(&self) -> Arc<Stream> {
        let mut answering = self.answering.iter().rev().filter(|stream| stream.is_read());
        let listening = self.lasting.iter().find(|stream| stream.is_read());
        let chosen = match (answering.next(), answering.next(), listening) {
            (Some(only), None, _) => only,
            (_, _, Some(listening)) => listening,
            (Some(latest), _, None) => latest,
            (None, _, None) => &self.lasting[0],
        };
        Arc::clone(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, token: Option<&str>) -> String {
        let meta = token
            .map_or(String::new(), |token| format!(r#","params":{{"_meta":{{"progressToken":{token}}}}}"#));
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call"{meta}}}"#)
    }

    fn begin(routes: &mut Routes, body: &str) -> Result<Option<Reader>, Refusal> {
        let begun = routes.begin(&Posted::read(body.as_bytes()).unwrap())?;
        Ok(begun.and_then(|begun| begun.reader))
    }

    fn deliver(routes: &mut Routes, message: &str) -> Option<u32> {
        let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
        let bytes = Bytes::copy_from_slice(message.as_bytes());
        routes.deliver(envelope, kind, bytes).map(|stream| stream.number())
    }

    fn heard(routes: &mut Routes, message: &str) -> Result<(), Refusal> {
        let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
        routes.heard(&envelope, kind)
    }

    const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;

    #[test]
    fn answers_and_progress_go_where_they_were_asked_for() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        let first = begin(&mut routes, &call("1", Some("\"1\""))).unwrap().unwrap();
        let second = begin(&mut routes, &call("\"1\"", Some("1"))).unwrap().unwrap();
        let (first, second) = (first.stream().number(), second.stream().number());
        assert_ne!(first, second);
        let progress = |token: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token}}}}}"#
            )
        };
        assert_eq!(deliver(&mut routes, &progress("\"1\"")), Some(first));
        assert_eq!(deliver(&mut routes, &progress("1")), Some(second));
        assert_eq!(deliver(&mut routes, &progress("2")), Some(second));
        assert_eq!(deliver(&mut routes, r#"{"jsonrpc":"2.0","id":"1","result":{}}"#), Some(second));
        assert_eq!(deliver(&mut routes, r#"{"jsonrpc":"2.0","id":"1","result":{}}"#), None);
        assert_eq!(deliver(&mut routes, r#"{"jsonrpc":"2.0","id":1,"error":{}}"#), Some(first));
        assert!(!routes.is_awaited() && routes.progress.is_empty() && routes.answering.is_empty());
    }

    #[test]
    fn on_one_stream_everything_goes_on_it() {
        let mut routes = Routes::new(Carriage::OneStream);
        let _listening = routes.listen().unwrap();
        assert!(begin(&mut routes, &call("1", Some("1"))).unwrap().is_none());
        assert!(matches!(begin(&mut routes, &call("1", None)), Err(Refusal::DuplicateId(_))));
        begin(&mut routes, &call("2", None)).unwrap();
        for message in [LOG, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#] {
            assert_eq!(deliver(&mut routes, message), Some(0), "{message}");
        }
        assert_eq!(deliver(&mut routes, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#), None);
        routes.stop_listening();
        assert!(!routes.lasting[0].is_closed(), "an answer is waited for");
        routes.forget(1);
        assert!(!routes.is_awaited() && routes.progress.is_empty());
        routes.stop_listening();
        assert!(routes.lasting[0].is_closed());
    }

    #[test]
    fn an_id_in_flight_is_not_used_again() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        let _reader = begin(&mut routes, &call("1", None)).unwrap();
        assert!(matches!(begin(&mut routes, &call("1", None)), Err(Refusal::DuplicateId(_))));
        let batch = format!("[{},{}]", call("2", None), call("2", None));
        assert!(matches!(begin(&mut routes, &batch), Err(Refusal::DuplicateId(_))));
        assert_eq!(routes.calls.len(), 1);
        assert!(begin(&mut routes, &call("2", None)).is_ok());
    }

    #[test]
    fn what_names_no_request_goes_to_one_who_listens() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        assert_eq!(deliver(&mut routes, LOG), Some(0));
        let only = begin(&mut routes, &call("1", None)).unwrap().unwrap();
        assert_eq!(deliver(&mut routes, LOG), Some(only.stream().number()));
        let get = routes.listen().unwrap();
        assert_eq!(get.stream().number(), 0);
        assert_eq!(deliver(&mut routes, LOG), Some(only.stream().number()));
        let latest = begin(&mut routes, &call("2", None)).unwrap().unwrap();
        assert_eq!(deliver(&mut routes, LOG), Some(0));
        drop(get);
        assert_eq!(deliver(&mut routes, LOG), Some(latest.stream().number()));
        drop((only, latest));
        assert_eq!(deliver(&mut routes, LOG), Some(0));
    }

    #[test]
    fn a_cancelled_request_is_awaited_no_longer() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        let reader = begin(&mut routes, &call("1", Some("1"))).unwrap().unwrap();
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        heard(&mut routes, cancel).unwrap();
        assert!(!routes.is_awaited() && reader.stream().is_closed());
        assert_eq!(deliver(&mut routes, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), None);
    }

    #[test]
    fn an_answer_must_have_been_asked_for_and_once() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        let answer = r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#;
        assert!(matches!(heard(&mut routes, answer), Err(Refusal::Unasked(_))));
        deliver(&mut routes, r#"{"jsonrpc":"2.0","id":"s1","method":"roots/list"}"#);
        assert_eq!(heard(&mut routes, answer), Ok(()));
        assert!(heard(&mut routes, answer).is_err());
        assert!(heard(&mut routes, r#"{"jsonrpc":"2.0","id":null,"error":{}}"#).is_err());
    }

    #[test]
    fn streams_are_bounded() {
        let mut routes = Routes::new(Carriage::ManyStreams);
        let readers: Vec<Reader> = std::iter::from_fn(|| routes.listen().ok()).take(100).collect();
        assert_eq!(readers.len(), MOST_LASTING);
        assert!(matches!(routes.listen(), Err(Refusal::TooManyStreams(_))));
        drop(readers);
        for id in 0..1000 {
            let id = id.to_string();
            let reader = begin(&mut routes, &call(&id, None)).unwrap().unwrap();
            routes.keep(reader.stream());
            drop(reader);
            deliver(&mut routes, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        }
        assert!(routes.resumable.len() <= MOST_ENDED + 1);
        assert_eq!(routes.listen().unwrap().stream().number(), 0);
        let resumed = |routes: &mut Routes, stream| routes.resume(EventId { stream, place: 0 }).is_ok();
        let last = routes.last;
        assert!(resumed(&mut routes, last) && !resumed(&mut routes, last - 100));
    }
}
