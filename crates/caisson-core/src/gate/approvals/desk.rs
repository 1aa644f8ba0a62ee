//! The questions that wait, each with those who wait for its answer.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::Asking;
use crate::model::{Outcome, Question, QuestionId, Settled, utc};

/// The most questions that wait at a time.
const MOST: usize = 1000;
/// The most of one client, so that none can keep the others from asking.
const MOST_OF_ONE: usize = 300;
/// Settled questions that are remembered.
const REMEMBERED: usize = 200;

#[derive(Default)]
pub(super) struct Desk {
    last: u64,
    open: BTreeMap<QuestionId, Open>,
    settled: VecDeque<Settled>,
}

struct Open {
    question: Question,
    asking: Asking,
    deadline: Instant,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Desk {
    /// Puts a question, with its number; it alone when one like it waits already. None when there are too many.
    pub(super) fn put(
        &mut self,
        asking: Asking,
        now: SystemTime,
        patience: Duration,
    ) -> Option<(QuestionId, Option<Question>)> {
        if let Some((id, _)) = self.open.iter().find(|(_, open)| open.asking.is_same(&asking)) {
            return Some((*id, None));
        }
        let own = self.open.values().filter(|open| open.asking.visit.client == asking.visit.client).count();
        if self.open.len() >= MOST || own >= MOST_OF_ONE {
            return None;
        }
        self.last += 1;
        let id = QuestionId(self.last);
        let asked_at = utc::whole_seconds(now);
        let question = Question {
            id,
            asked_at,
            until: asked_at.saturating_add(patience.as_secs()),
            client: asking.visit.client.to_string(),
            server: asking.server.clone(),
            tool: asking.tool.clone(),
            marks: asking.marks,
            arguments: asking.arguments.clone(),
            because: asking.by.to_string(),
            by: asking.by.clone(),
            calls: 1,
        };
        let (outcome, _) = watch::channel(None);
        let open = Open { question: question.clone(), asking, deadline: Instant::now() + patience, outcome };
        self.open.insert(id, open);
        Some((id, Some(question)))
    }

    /// Begins to wait for the answer to a question.
    pub(super) fn wait(&mut self, id: QuestionId) -> Option<(Instant, watch::Receiver<Option<Outcome>>)> {
        let open = self.open.get_mut(&id)?;
        let outcome = open.outcome.subscribe();
        open.question.calls = waiting(open);
        Some((open.deadline, outcome))
    }

    /// Somebody no longer waits. Whether nobody does.
    pub(super) fn leave(&mut self, id: QuestionId) -> bool {
        let Some(open) = self.open.get_mut(&id) else { return false };
        // The one who leaves is still among them.
        open.question.calls = waiting(open).saturating_sub(1);
        open.question.calls == 0
    }

    pub(super) fn asking(&self, id: QuestionId) -> Option<Asking> {
        self.open.get(&id).map(|open| open.asking.clone())
    }

    /// Settles a question, if it waits.
    pub(super) fn settle(&mut self, id: QuestionId, outcome: Outcome, now: SystemTime) -> Option<Question> {
        let Open { question, outcome: tell, .. } = self.open.remove(&id)?;
        tell.send_replace(Some(outcome));
        self.settled.push_front(Settled { question: question.clone(), at: utc::whole_seconds(now), outcome });
        self.settled.truncate(REMEMBERED);
        Some(question)
    }

    pub(super) fn list(&self) -> Vec<Question> {
        self.open.values().map(|open| open.question.clone()).collect()
    }

    pub(super) fn history(&self) -> Vec<Settled> {
        self.settled.iter().cloned().collect()
    }
}

fn waiting(open: &Open) -> u32 {
    u32::try_from(open.outcome.receiver_count()).unwrap_or(u32::MAX)
}
