//! One message: each text in it is looked through, what is found is judged, and what must go is taken out.

use std::ops::Range;

use super::{
    Action, Context, Encoding, Finding, Findings, Rules, Unreadable, Verdict,
    detectors::Ready,
    exact,
    json::{Token, TokenKind, Walk},
    probe::{Hit, Probe, What},
    site::{self, Part, Site},
};

/// Fields of a message that say what it is: with something else in their place it would be another one.
const ENVELOPE: [&[u8]; 3] = [b"jsonrpc", b"id", b"method"];
/// So much of a value is looked at together with its field's name, in bytes.
const BESIDE: usize = 1024;
/// So many neighbours in a text are asked whether they are the same thing.
const NEIGHBOURS: usize = 8;

/// What is put in the place of a stretch of the message.
struct Edit {
    at: Range<usize>,
    what: What,
    text: String,
}

/// A text of an array of content, to be looked at together with its neighbours.
struct Block {
    /// Where its array begins.
    array: usize,
    token: Token,
}

/// A scan of one message.
pub(super) struct Scan<'a> {
    rules: &'a Rules,
    context: &'a Context<'a>,
    message: &'a [u8],
    probe: Probe<'a>,
    findings: Findings,
    edits: Vec<Edit>,
    is_blocked: bool,
    /// How many names of fields were changed: no two may become the same.
    changed_keys: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(rules: &'a Rules, context: &'a Context<'a>, message: &'a [u8]) -> Self {
        Self {
            rules,
            context,
            message,
            probe: Probe::new(&rules.detectors, &rules.canaries, context.secrets.exact()),
            findings: Findings::default(),
            edits: Vec::new(),
            is_blocked: false,
            changed_keys: 0,
        }
    }

    /// # Errors
    /// When it is no JSON in UTF-8.
    pub(super) fn message(mut self) -> Result<Verdict, Unreadable> {
        std::str::from_utf8(self.message).map_err(|error| Unreadable::Json { at: error.valid_up_to() })?;
        let (mut walk, mut blocks) = (Walk::new(self.message), Vec::<Block>::new());
        while let Some(token) = walk.next()? {
            self.token(&mut walk, &token);
            if token.is == TokenKind::String
                && walk.key() == Some(b"text")
                && let Some(array) = walk.array()
            {
                blocks.push(Block { array, token });
            }
        }
        self.across(&blocks);
        Ok(self.verdict())
    }

    /// A line of text that is no JSON.
    pub(super) fn line(mut self) -> Verdict {
        let hits = self.probe.look(self.message);
        self.judge(hits, &Site::Line, "", false);
        self.verdict()
    }

    fn token(&mut self, walk: &mut Walk<'a>, token: &Token) {
        if token.span.len() < exact::SHORTEST {
            return;
        }
        let (key, is_value) = (walk.key(), token.is == TokenKind::String);
        let text = site::text(self.message, token);
        let is_blob = is_value && site::is_blob(key, &text);
        let mut hits = if is_blob { self.probe.look_in_blob(&text) } else { self.probe.look(&text) };
        if let Some(key) = key.filter(|_| is_value && hits.is_empty()) {
            hits = self.beside(key, &text);
        }
        if hits.is_empty() {
            return;
        }
        let is_envelope = walk.frames.len() == 1 && key.is_some_and(|key| ENVELOPE.contains(&key));
        let mut site = Site::of(self.message, token, is_blob);
        if token.is == TokenKind::Key {
            if let Some(frame) = walk.frames.last_mut() {
                frame.is_key_hidden = true;
            }
            if let Site::Within { suffix, .. } = &mut site {
                self.changed_keys += 1;
                *suffix =
                    if self.changed_keys > 1 { format!(" {}", self.changed_keys) } else { String::new() };
            }
        }
        self.judge(hits, &site, &walk.pointer(), is_envelope);
    }

    /// What is known by its field's name: `{"password": "…"}`.
    fn beside(&self, key: &[u8], text: &[u8]) -> Vec<Hit> {
        let text = &text[..text.len().min(BESIDE)];
        if !self.rules.detectors.names_values(key) {
            return Vec::new();
        }
        let both = [key, b"\": \"", text].concat();
        let from = both.len() - text.len();
        let mut hits = self.probe.look_beside(&both, from);
        for hit in &mut hits {
            hit.range = hit.range.start - from..hit.range.end - from;
        }
        hits
    }

    /// Things that begin in one text of an array and end in a later one. Long texts are looked at near their borders
    /// only: what is within them has been found.
    fn across(&mut self, blocks: &[Block]) {
        let near = self.probe.margin();
        for array in blocks.chunk_by(|a, b| a.array == b.array).filter(|array| array.len() > 1) {
            let mut joined = Joined::default();
            for Block { array, token } in array {
                let text = site::text(self.message, token);
                if text.len() <= 2 * near {
                    joined.add(token, &text, 0..text.len());
                } else {
                    joined.add(token, &text, 0..near);
                    self.look_across(&joined, *array);
                    joined = Joined::default();
                    joined.add(token, &text, text.len() - near..text.len());
                }
            }
            self.look_across(&joined, array[0].array);
        }
    }

    fn look_across(&mut self, joined: &Joined<'_>, array: usize) {
        if joined.parts.len() < 2 {
            return;
        }
        let mut hits = self.probe.look(&joined.text);
        let crosses = |border: &Part<'_>, hit: &Hit| {
            hit.range.start < border.among.start && border.among.start < hit.range.end
        };
        hits.retain(|hit| {
            let next = joined.parts.partition_point(|part| part.among.start <= hit.range.start);
            joined.parts.get(next).is_some_and(|border| crosses(border, hit))
        });
        for hit in &mut hits {
            hit.encoded.insert(0, Encoding::Split);
        }
        if !hits.is_empty() {
            let pointer = pointer_to(self.message, array);
            self.judge(hits, &Site::Across(&joined.parts), &pointer, false);
        }
    }

    /// Decides what is done with each thing found in one text.
    fn judge(&mut self, mut hits: Vec<Hit>, site: &Site<'_>, pointer: &str, is_envelope: bool) {
        self.without_guesses(&mut hits);
        for Hit { range, what, encoded } in hits {
            let action = match self.rules.action(what, self.context) {
                Action::Ignore => continue,
                Action::Redact if is_envelope => Action::Block,
                action @ (Action::Log | Action::Warn | Action::Redact | Action::Block) => action,
            };
            let title = self.rules.title(what, self.context);
            if action >= Action::Redact {
                let mut label = site.spelled(&format!("[redacted: {title}]"));
                for at in site.written(self.message, &range) {
                    self.edits.push(Edit { at, what, text: std::mem::take(&mut label) });
                }
            }
            self.is_blocked |= action == Action::Block;
            self.findings.push(action, || Finding {
                kind: self.rules.kind(what),
                title,
                action,
                at: self.context.secrets.hidden_in(pointer),
                length: range.len(),
                encoded,
            });
        }
    }

    /// A value that is known by what stands beside it alone is no second finding where one is known by itself. An
    /// address of mail is none where it is a password and a host.
    fn without_guesses(&self, hits: &mut Vec<Hit>) {
        let ready = |hit: &Hit| match hit.what {
            What::Detector(number) => Some(&self.rules.detectors.all()[usize::from(number)]),
            What::Own(_) | What::Canary(_) | What::Hidden(_) | What::Unread => None,
        };
        let is_guess = |hit: &Hit| ready(hit).is_some_and(Ready::finds_beside);
        let may_be_same = |hit: &Hit| ready(hit).is_none_or(|ready| !ready.is_prose);
        if hits.len() < 2 || !hits.iter().any(is_guess) {
            return;
        }
        hits.sort_by_key(|hit| (hit.range.start, is_guess(hit), hit.what));
        let is_same =
            |hit: &Hit, other: &Hit| hit.range.start < other.range.end && other.range.start < hit.range.end;
        let keeps: Vec<bool> = hits
            .iter()
            .enumerate()
            .map(|(at, hit)| {
                let before = hits[at.saturating_sub(NEIGHBOURS)..at].iter();
                let after = hits[at + 1..].iter().take(NEIGHBOURS).filter(|other| !is_guess(other));
                let same = before.chain(after).filter(|other| may_be_same(other) || !may_be_same(hit));
                !is_guess(hit) || !same.into_iter().any(|other| is_same(hit, other))
            })
            .collect();
        let mut keeps = keeps.into_iter();
        hits.retain(|_| keeps.next().unwrap_or(true));
    }

    fn verdict(self) -> Verdict {
        if self.is_blocked {
            Verdict::Blocked(self.findings)
        } else if !self.edits.is_empty() {
            Verdict::Redacted { message: rewritten(self.message, self.edits), findings: self.findings }
        } else if self.findings.is_empty() {
            Verdict::Clean
        } else {
            Verdict::Noted(self.findings)
        }
    }
}

/// Texts that are read as one.
#[derive(Default)]
struct Joined<'a> {
    text: Vec<u8>,
    parts: Vec<Part<'a>>,
}

impl<'a> Joined<'a> {
    fn add(&mut self, token: &'a Token, text: &[u8], within: Range<usize>) {
        let (start, from) = (self.text.len(), within.start);
        self.text.extend_from_slice(&text[within]);
        self.parts.push(Part { token, among: start..self.text.len(), from });
    }
}

/// Where the array stands that begins there.
fn pointer_to(message: &[u8], array: usize) -> String {
    let mut walk = Walk::new(message);
    while let Ok(Some(_)) = walk.next() {
        if let Some(depth) = walk.frames.iter().position(|frame| frame.start == array) {
            walk.frames.truncate(depth);
            break;
        }
    }
    walk.pointer()
}

/// The message with its edits made. Where they overlap, what is gravest is told.
fn rewritten(message: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by(|a, b| (a.at.start, a.what, b.at.end).cmp(&(b.at.start, b.what, a.at.end)));
    let mut merged: Vec<Edit> = Vec::new();
    for edit in edits {
        match merged.last_mut() {
            Some(last) if edit.at.start < last.at.end => {
                last.at.end = last.at.end.max(edit.at.end);
                if last.text.is_empty() || edit.what < last.what && !edit.text.is_empty() {
                    (last.what, last.text) = (edit.what, edit.text);
                }
            }
            _ => merged.push(edit),
        }
    }
    let (mut written, mut done) = (Vec::with_capacity(message.len()), 0);
    for Edit { at, text, .. } in merged {
        written.extend_from_slice(&message[done..at.start]);
        written.extend_from_slice(text.as_bytes());
        done = at.end;
    }
    written.extend_from_slice(&message[done..]);
    written
}
