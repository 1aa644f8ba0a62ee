use proptest::prelude::*;

use super::*;

const SETTINGS: LifeSettings =
    LifeSettings { idle_stop: 900, start_timeout: 60, restarts: 2, prewarm: false, always_on: false };

fn at(now: Instant) -> Circumstances<'static> {
    Circumstances { now, settings: &SETTINGS, jitter: 0.5 }
}

fn why(reason: &str) -> String {
    reason.to_owned()
}

/// Takes the steps one after another, a second apart, and gives the states' names and the effects.
fn walk(events: impl IntoIterator<Item = LifeEvent>) -> (Life, Vec<Effect>) {
    let mut now = Instant::now();
    let mut life = Life::Stopped;
    let mut all = Vec::new();
    for event in events {
        now += Duration::from_secs(1);
        all.extend(step(&mut life, event, &at(now)));
    }
    (life, all)
}

#[test]
fn the_first_session_starts_it_and_later_ones_find_it_running() {
    let (life, effects) =
        walk([E::Wanted, E::Wanted, E::Started, E::SessionOpened, E::Wanted, E::SessionOpened]);
    assert_eq!(life.state(), ServerState::Running { sessions: 2 });
    assert_eq!(effects, [Effect::Start, Effect::Admit, Effect::Admit]);
}

#[test]
fn it_stops_when_nobody_has_used_it_for_so_long() {
    let now = Instant::now();
    let (life, _) = Life::Starting { failures: 0 }.on(E::Started, &at(now));
    let (life, _) = life.on(E::SessionOpened, &at(now));
    assert_eq!(life.deadline(&SETTINGS), None, "in use");
    let (life, _) = life.on(E::SessionClosed, &at(now));
    let deadline = life.deadline(&SETTINGS).unwrap();
    assert_eq!(deadline, now + Duration::from_secs(900));
    let (life, effects) = life.on(E::Tick, &at(deadline - Duration::from_millis(1)));
    assert_eq!(effects, []);
    let (life, effects) = life.on(E::Tick, &at(deadline));
    assert_eq!((life.state(), effects), (ServerState::Stopping, vec![Effect::Stop]));
    assert_eq!(life.on(E::Halted, &at(deadline)).0, Life::Stopped);
}

#[test]
fn it_never_stops_for_idleness_when_told_so() {
    let settings = LifeSettings { idle_stop: 0, ..SETTINGS };
    let now = Instant::now();
    let (life, _) = Life::Starting { failures: 0 }.on(E::Started, &at(now));
    assert_eq!(life.deadline(&settings), None);
    let later = Circumstances { now: now + Duration::from_secs(1 << 20), settings: &settings, jitter: 0.5 };
    assert_eq!(life.on(E::Tick, &later).1, []);
}

#[test]
fn failures_in_a_row_wait_longer_and_then_it_gives_up() {
    let mut now = Instant::now();
    let mut life = Life::Stopped;
    assert_eq!(step(&mut life, E::StartAsked, &at(now)), [Effect::Start]);
    let fail = || E::StartFailed { reason: why("bad"), may_pass: true };
    for seconds in [1, 2] {
        let effects = step(&mut life, fail(), &at(now));
        assert_eq!(effects, [Effect::Refuse(Refused::Failed(why("bad")))]);
        assert_eq!(life.deadline(&SETTINGS), Some(now + Duration::from_secs(seconds)));
        assert_eq!(step(&mut life, E::Wanted, &at(now)), [], "waits for the next try");
        now += Duration::from_secs(seconds);
        assert_eq!(step(&mut life, E::Tick, &at(now)), [Effect::Start]);
    }
    step(&mut life, fail(), &at(now));
    assert_eq!(life, Life::Failed { reason: why("bad"), for_good: true, again: None });
    let effects = step(&mut life, E::Wanted, &at(now));
    assert_eq!(effects, [Effect::Refuse(Refused::GaveUp(why("bad")))]);
    assert_eq!(step(&mut life, E::StartAsked, &at(now)), [Effect::Start]);
}

#[test]
fn what_only_the_user_can_mend_is_tried_again_on_the_next_use_alone() {
    let (life, _) = walk([E::Wanted, E::StartFailed { reason: why("no secret"), may_pass: false }]);
    assert_eq!(life, Life::Failed { reason: why("no secret"), for_good: false, again: None });
    assert_eq!(life.deadline(&SETTINGS), None);
    let (life, effects) = life.on(E::Wanted, &at(Instant::now()));
    assert_eq!((life, effects), (Life::Starting { failures: 0 }, vec![Effect::Start]));
}

#[test]
fn what_is_always_on_is_tried_again_by_itself() {
    let settings = LifeSettings { always_on: true, ..SETTINGS };
    let now = Instant::now();
    let at = |now| Circumstances { now, settings: &settings, jitter: 0.5 };
    let failed = E::StartFailed { reason: why("no engine"), may_pass: false };
    let (life, _) = Life::Starting { failures: 0 }.on(failed, &at(now));
    let again = life.deadline(&settings).unwrap();
    assert_eq!(again, now + Duration::from_secs(60));
    assert!(matches!(life.clone().on(E::Tick, &at(now)).0, Life::Failed { .. }));
    assert_eq!(life.on(E::Tick, &at(again)), (Life::Starting { failures: 0 }, vec![Effect::Start]));
}

#[test]
fn an_answer_forgets_the_failures() {
    let crash = || E::ProcessFailed { reason: why("exit code 1") };
    let (life, _) = walk([E::Wanted, E::Started, crash(), crash()]);
    assert!(matches!(life, Life::Running { failures: 2, .. }));
    assert!(matches!(life.clone().on(E::Healthy, &at(Instant::now())).0, Life::Running { failures: 0, .. }));
    let (life, effects) = life.on(crash(), &at(Instant::now()));
    assert_eq!(effects, [Effect::Stop]);
    let (life, effects) = life.on(E::Halted, &at(Instant::now()));
    assert_eq!(life, Life::Failed { reason: why("exit code 1"), for_good: true, again: None });
    assert_eq!(effects, [Effect::Refuse(Refused::GaveUp(why("exit code 1")))]);
}

#[test]
fn a_process_too_many_stops_nobody_elses() {
    let crash = || E::ProcessFailed { reason: why("exit code 1") };
    let (mut life, _) = walk([E::Wanted, E::Started, E::SessionOpened, E::Healthy]);
    for _ in 0..10 {
        for event in [E::SessionOpened, crash(), E::SessionClosed] {
            assert_eq!(step(&mut life, event, &at(Instant::now())), []);
        }
    }
    assert_eq!(life.state(), ServerState::Running { sessions: 1 });
    // Where nobody else is served, failures count.
    let failed = (0..3).flat_map(|_| step(&mut life, crash(), &at(Instant::now()))).collect::<Vec<_>>();
    assert_eq!(failed, [Effect::Stop]);
}

#[test]
fn stop_wins_wherever_it_stands() {
    let running = [E::Wanted, E::Started];
    let ways: [(&[LifeEvent], &[Effect]); 5] = [
        (&[], &[]),
        (&[E::Wanted], &[Effect::Refuse(Refused::Stopped), Effect::Stop]),
        (&running, &[Effect::Stop]),
        (&[E::Wanted, E::Started, E::RestartAsked], &[Effect::Refuse(Refused::Stopped)]),
        (&[E::Wanted, E::Started, E::Ended { reason: String::new() }], &[Effect::Refuse(Refused::Stopped)]),
    ];
    for (way, meant) in ways {
        let (life, _) = walk(way.iter().cloned());
        let (life, effects) = life.on(E::StopAsked, &at(Instant::now()));
        assert_eq!(effects, meant, "{way:?}");
        let (life, _) = life.on(E::Halted, &at(Instant::now()));
        assert_eq!(life, Life::Stopped, "{way:?}");
    }
}

#[test]
fn a_session_that_comes_while_it_stops_starts_it_again() {
    let (life, effects) = walk([E::Wanted, E::Started, E::StopAsked, E::Wanted, E::Halted]);
    assert_eq!(life, Life::Starting { failures: 0 });
    assert_eq!(effects.last(), Some(&Effect::Start));
}

/// What the world does around the machine: containers come up, end and are taken down in any order.
#[derive(Clone, Copy, Debug)]
enum World {
    Wanted,
    StartAsked,
    StopAsked,
    RestartAsked,
    Changed,
    /// The pending start succeeds, if there is one.
    ComesUp,
    /// The pending start fails, if there is one.
    FailsToComeUp,
    /// The container ends by itself, if one runs.
    Ends,
    ProcessFails,
    Healthy,
    Opened,
    Closed,
    TimePasses,
}

proptest! {
    #[test]
    fn two_containers_never_run_and_the_machine_knows_what_runs(
        steps in proptest::collection::vec(
            prop_oneof![
                Just(World::Wanted), Just(World::StartAsked), Just(World::StopAsked), Just(World::RestartAsked),
                Just(World::Changed), Just(World::ComesUp), Just(World::FailsToComeUp), Just(World::Ends),
                Just(World::ProcessFails), Just(World::Healthy), Just(World::Opened), Just(World::Closed),
                Just(World::TimePasses),
            ],
            0..200,
        )
    ) {
        let mut now = Instant::now();
        let mut life = Life::Stopped;
        // At most one of these may ever be true.
        let (mut pending, mut up) = (false, false);
        let mut halting = false;
        for world in steps {
            let event = match world {
                World::Wanted => E::Wanted,
                World::StartAsked => E::StartAsked,
                World::StopAsked => E::StopAsked,
                World::RestartAsked => E::RestartAsked,
                World::Changed => E::Changed,
                World::ProcessFails => E::ProcessFailed { reason: String::new() },
                World::Healthy => E::Healthy,
                World::Opened if matches!(life, Life::Running { .. }) => E::SessionOpened,
                World::Closed => E::SessionClosed,
                World::ComesUp | World::FailsToComeUp | World::Ends if halting => {
                    (pending, up, halting) = (false, false, false);
                    E::Halted
                }
                World::ComesUp if pending => {
                    (pending, up) = (false, true);
                    E::Started
                }
                World::FailsToComeUp if pending => {
                    pending = false;
                    E::StartFailed { reason: String::new(), may_pass: true }
                }
                World::Ends if up => {
                    up = false;
                    E::Ended { reason: String::new() }
                }
                World::TimePasses => {
                    now += Duration::from_secs(100);
                    E::Tick
                }
                World::ComesUp | World::FailsToComeUp | World::Ends | World::Opened => continue,
            };
            let stop_asked = event == E::StopAsked;
            for effect in step(&mut life, event, &at(now)) {
                match effect {
                    Effect::Start => {
                        prop_assert!(!pending && !up, "a second container");
                        pending = true;
                    }
                    Effect::Stop => {
                        prop_assert!(pending || up, "nothing to stop");
                        halting = true;
                    }
                    Effect::Admit => prop_assert!(up && !halting, "nothing to admit to"),
                    Effect::Refuse(_) => {}
                }
            }
            if stop_asked {
                let stopped = matches!(life, Life::Stopped | Life::Stopping { then: Then::Stay });
                prop_assert!(stopped, "{:?}", life);
            }
            let is = matches!(life, Life::Starting { .. });
            prop_assert_eq!(is, pending && !halting);
            let is = matches!(life, Life::Running { .. });
            prop_assert_eq!(is, up && !halting);
            let is = matches!(life, Life::Stopping { .. });
            prop_assert_eq!(is, halting);
        }
    }
}
