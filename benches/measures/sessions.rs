//! Many sessions at once: opening them, and calling on all of them for a while.

use std::time::{Duration, Instant};

use caisson_tests::clients::Access;
use futures::{StreamExt, stream};

use crate::{Fallible, http::HttpWay, protocol::Request, sample::Sample};

/// Sessions that are opened at the same time. Each may have to start a container.
const OPENED_AT_ONCE: usize = 8;
/// So long calls are made that do not count yet.
const WARM_UP: Duration = Duration::from_millis(300);

/// Sessions on the same bridge, each on a connection of its own.
#[derive(Default)]
pub(crate) struct Sessions {
    ways: Vec<HttpWay>,
    calls: u32,
}

/// What came of calling for a while.
pub(crate) struct Load {
    pub(crate) calls_per_second: f64,
    pub(crate) times: Sample,
}

impl Sessions {
    /// Opens more until there are `count`, spread over `servers`. Fails when one of them cannot be opened, and says
    /// how many could not; the others stay open.
    pub(crate) async fn open(&mut self, servers: &[Access], count: usize) -> Fallible<()> {
        let begun = self.ways.len();
        let opening = (begun..count).map(|number| HttpWay::open(&servers[number % servers.len()]));
        let opened: Vec<_> = stream::iter(opening).buffer_unordered(OPENED_AT_ONCE).collect().await;
        let mut failures = Vec::new();
        for way in opened {
            match way {
                Ok(way) => self.ways.push(way),
                Err(error) => failures.push(error),
            }
        }
        match failures.first() {
            None => Ok(()),
            Some(first) => {
                Err(format!("{} of {} sessions did not open: {first}", failures.len(), count - begun).into())
            }
        }
    }

    /// All of them call, one call after the other each, for so long.
    pub(crate) async fn load(&mut self, time: Duration) -> Fallible<Load> {
        self.all_call(WARM_UP).await?;
        let begun = Instant::now();
        let times = self.all_call(time).await?;
        Ok(Load { calls_per_second: times.len() as f64 / begun.elapsed().as_secs_f64(), times })
    }

    /// One call after the other, going round the sessions.
    pub(crate) async fn one_by_one(&mut self, calls: u32) -> Fallible<Sample> {
        let mut times = Sample::default();
        let sessions = self.ways.len();
        for number in 0..sessions.max(calls as usize) {
            self.calls += 1;
            let request = Request::call(self.calls);
            let begun = Instant::now();
            self.ways[number % sessions].call(&request).await?;
            times.add(begun.elapsed());
        }
        Ok(times)
    }

    /// Ends them all. What is gone already need not be ended.
    pub(crate) async fn close(self) {
        stream::iter(self.ways)
            .for_each_concurrent(OPENED_AT_ONCE, async |way| drop(way.close().await))
            .await;
    }

    async fn all_call(&mut self, time: Duration) -> Fallible<Sample> {
        let until = Instant::now() + time;
        let first = self.calls;
        let total = self.ways.len();
        let calling = self.ways.drain(..).map(|mut way| {
            tokio::task::spawn_local(async move {
                let (mut times, mut id, mut failure) = (Sample::default(), first, None);
                while Instant::now() < until && failure.is_none() {
                    id += 1;
                    let request = Request::call(id);
                    let begun = Instant::now();
                    failure = way.call(&request).await.err();
                    times.add(begun.elapsed());
                }
                (way, times, id, failure)
            })
        });
        let calling: Vec<_> = calling.collect();
        let mut all = Sample::default();
        let mut failures = Vec::new();
        for session in calling {
            let (way, times, last, failure) = session.await?;
            all.append(times);
            self.calls = self.calls.max(last);
            self.ways.push(way);
            failures.extend(failure);
        }
        match failures.first() {
            None => Ok(all),
            Some(first) => Err(format!("{} of {total} sessions failed: {first}", failures.len()).into()),
        }
    }
}
