use std::time::UNIX_EPOCH;

use super::*;
use crate::gate::{Denial, Gate, GateParts};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tokens(state: &State, now: u64) -> Tokens {
    Tokens::open(state.clone(), at(now)).unwrap()
}

#[test]
fn a_token_is_256_random_bits_and_its_text_is_not_kept() {
    let state = State::in_memory().unwrap();
    let tokens = tokens(&state, 0);
    let (token, text) = tokens.issue("cursor", Scope::All, None, at(1)).unwrap();
    let (_, other) = tokens.issue("cursor", Scope::All, None, at(1)).unwrap();
    assert_ne!(text.expose(), other.expose());
    assert_eq!((text.expose().len(), &text.expose()[..4]), (47, "csn_"));
    assert!(!format!("{text:?}{token:?}").contains(&text.expose()[4..]));
    let kept: Vec<u8> =
        state.with(|db| db.query_row("SELECT hash FROM tokens", [], |row| row.get(0))).unwrap();
    assert_eq!(kept.len(), 32);
}

#[test]
fn tokens_outlive_the_process_and_revoked_ones_do_not() {
    let state = State::in_memory().unwrap();
    let scope = Scope::only(["time".parse().unwrap()]);
    let first = tokens(&state, 0);
    let (kept, text) = first.issue("cursor", scope.clone(), Some(Duration::from_secs(50)), at(1)).unwrap();
    let (revoked, gone) = first.issue("code", Scope::All, None, at(2)).unwrap();
    assert!(first.used(text.expose(), at(3)).is_some());
    first.keep_uses();
    assert!(first.revoke(&revoked.id).unwrap() && !first.revoke(&revoked.id).unwrap());
    assert!(!first.revoke(&"none".into()).unwrap());
    assert_eq!(first.list().len(), 2);
    let second = tokens(&state, 4);
    let listed = second.list();
    assert_eq!(listed, [Token { last_used: Some(at(3)), ..kept }]);
    assert_eq!((*listed[0].scope).clone(), scope);
    assert!(second.used(gone.expose(), at(5)).is_none());
    assert_eq!(second.revoke_of("cursor").unwrap(), 1);
    assert!(tokens(&state, 6).list().is_empty());
}

#[test]
fn a_token_long_expired_or_unreadable_is_gone() {
    let state = State::in_memory().unwrap();
    let issued = tokens(&state, 0);
    issued.issue("job", Scope::All, Some(Duration::from_secs(10)), at(0)).unwrap();
    assert_eq!(tokens(&state, 60).list().len(), 1);
    assert_eq!(tokens(&state, 8 * 24 * 3600).list().len(), 0);
    issued.issue("odd", Scope::All, None, at(0)).unwrap();
    state.with(|db| db.execute("UPDATE tokens SET scope = '{\"everything\":1}'", [])).unwrap();
    assert_eq!(tokens(&state, 60).list().len(), 0);
    let forever = issued.issue("x", Scope::All, Some(Duration::MAX), at(0));
    assert!(matches!(forever, Err(TokenError::Lifetime)));
}

#[test]
fn a_token_in_the_place_of_another_is_for_the_same_and_ends_when_it_would_have() {
    let state = State::in_memory().unwrap();
    let first = tokens(&state, 0);
    let scope = Scope::only(["time".parse().unwrap()]);
    let lifetime = Some(Duration::from_secs(100));
    let (old, text) = first.issue("job", scope, lifetime, at(0)).unwrap();
    let states = |now: u64| {
        let of = |tokens: &Tokens| -> Vec<_> {
            tokens.list().iter().map(|token| (token.id.clone(), token.state(at(now)))).collect()
        };
        (of(&first), of(&tokens(&state, now)))
    };
    let none = Duration::ZERO;
    assert!(first.rotate(&"none".into(), none, at(1)).unwrap().is_none());
    assert!(first.rotate(&old.id, none, at(100)).unwrap().is_none(), "it has expired");
    assert!(matches!(first.rotate(&old.id, Duration::MAX, at(1)), Err(TokenError::Lifetime)));

    let (new, new_text) = first.rotate(&old.id, Duration::from_secs(10), at(50)).unwrap().unwrap();
    assert_ne!((text.expose(), &old.id), (new_text.expose(), &new.id));
    assert_eq!(new, Token { id: new.id.clone(), created: at(50), last_used: None, ..old.clone() });
    let both = |old_is, new_is| vec![(old.id.clone(), old_is), (new.id.clone(), new_is)];
    for (now, old_is, new_is) in [
        (59, TokenState::Holds, TokenState::Holds),
        (60, TokenState::Expired, TokenState::Holds),
        (100, TokenState::Expired, TokenState::Expired),
    ] {
        assert_eq!(states(now), (both(old_is, new_is), both(old_is, new_is)), "{now}");
    }

    // A time beyond the old one's own makes it no longer.
    let (newer, _) = first.rotate(&new.id, Duration::from_secs(1000), at(95)).unwrap().unwrap();
    assert_eq!(first.by_id(&new.id).unwrap().expires, Some(at(100)));
    let (newest, _) = first.rotate(&newer.id, none, at(96)).unwrap().unwrap();
    assert_eq!(first.by_id(&newer.id).unwrap().state(at(96)), TokenState::Revoked);
    assert!(first.rotate(&newer.id, none, at(97)).unwrap().is_none(), "once");
    let ids: Vec<TokenId> = tokens(&state, 97).list().into_iter().map(|token| token.id).collect();
    assert_eq!(ids, [old.id, new.id, newest.id], "a revoked one is not kept");
}

#[test]
fn the_gate_asks_the_clock() {
    let now = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let clock = Arc::clone(&now);
    let set = |seconds| now.store(seconds, std::sync::atomic::Ordering::SeqCst);
    let tokens = tokens(&State::in_memory().unwrap(), 0);
    let gate = Gate::new(GateParts::for_test(
        tokens,
        Arc::new(move || at(clock.load(std::sync::atomic::Ordering::SeqCst))),
    ));
    let lifetime = Some(Duration::from_secs(10));
    let (token, text) = gate.tokens().issue("job", Scope::All, lifetime, at(0)).unwrap();
    let principal = gate.authenticate(text.expose()).unwrap();
    assert_eq!(gate.authenticate("csn_x"), Err(Denial::UnknownToken));
    assert_eq!(gate.authenticate(""), Err(Denial::UnknownToken));
    assert_eq!(gate.still_holds(&principal), Ok(()));
    set(10);
    assert_eq!(gate.authenticate(text.expose()), Err(Denial::ExpiredToken));
    assert_eq!(gate.still_holds(&principal), Err(Denial::ExpiredToken));
    set(5);
    gate.tokens().revoke(&token.id).unwrap();
    assert_eq!(gate.authenticate(text.expose()), Err(Denial::RevokedToken));
    assert_eq!(gate.still_holds(&principal), Err(Denial::RevokedToken));
}
