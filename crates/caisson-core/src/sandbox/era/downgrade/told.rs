//! While a subscription is renewed, two are open and tell of the same changes. Here they become one story in
//! which nothing is missing and nothing comes twice.

use std::collections::{BTreeMap, HashMap};

/// Different changes that are counted while two subscriptions are open. Of more, some may come twice.
const MOST_KINDS: usize = 4096;

/// What kind of change a notification tells of: its method, and the resource it names.
pub(super) type Kind = (String, Option<String>);

/// How far each open subscription has told, a count for each kind of change. The one that was opened last
/// begins where the others are: what comes on it was not told yet, or comes on them too.
#[derive(Debug, Default)]
pub(super) struct Told {
    furthest: HashMap<Kind, u64>,
    subscriptions: BTreeMap<u64, HashMap<Kind, u64>>,
}

impl Told {
    /// Subscription `number`, a higher one than those before, is being opened.
    pub(super) fn begin(&mut self, number: u64) {
        self.subscriptions.insert(number, self.furthest.clone());
    }

    /// Whether a change that a subscription tells of is news.
    pub(super) fn is_news(&mut self, number: u64, kind: Kind) -> bool {
        if self.subscriptions.len() < 2 || self.furthest.len() >= MOST_KINDS {
            return true;
        }
        let Some(told) = self.subscriptions.get_mut(&number) else { return true };
        let count = told.entry(kind.clone()).or_default();
        *count += 1;
        let furthest = self.furthest.entry(kind).or_default();
        let is_news = *count > *furthest;
        *furthest = (*furthest).max(*count);
        is_news
    }

    /// A subscription was closed. The oldest that is left has told all that comes on it: what it lags behind
    /// happened before it was open.
    pub(super) fn end(&mut self, number: u64) {
        self.subscriptions.remove(&number);
        if self.subscriptions.len() < 2 {
            self.furthest.clear();
            self.subscriptions.values_mut().for_each(HashMap::clear);
        } else if let Some(mut oldest) = self.subscriptions.first_entry() {
            oldest.get_mut().clone_from(&self.furthest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind() -> Kind {
        ("notifications/tools/list_changed".to_owned(), None)
    }

    #[test]
    fn one_subscription_tells_all() {
        let mut told = Told::default();
        told.begin(1);
        assert!((0..3).all(|_| told.is_news(1, kind())));
        told.begin(2);
        told.end(1);
        assert!((0..3).all(|_| told.is_news(2, kind())));
    }

    #[test]
    fn another_kind_is_other_news() {
        let mut told = Told::default();
        told.begin(1);
        told.begin(2);
        assert!(told.is_news(1, kind()));
        let updated = |uri: &str| ("notifications/resources/updated".to_owned(), Some(uri.to_owned()));
        assert!(told.is_news(2, updated("a")));
        assert!(told.is_news(2, updated("b")));
        assert!(!told.is_news(2, kind()));
        assert!(!told.is_news(1, updated("a")));
    }

    proptest! {
        /// `before` changes reach the old subscription alone, `both` reach both, each in any order to the
        /// other, then the old one is closed and `after` reach the new one.
        #[test]
        fn each_change_is_told_once(
            before in 0usize..4,
            mut order in proptest::collection::vec(any::<bool>(), 0..12),
            after in 0usize..4,
        ) {
            let mut told = Told::default();
            told.begin(1);
            told.begin(2);
            let both = order.iter().filter(|is_old| **is_old).count();
            let missing = both.abs_diff(order.len() - both);
            order.extend(std::iter::repeat_n(order.len() - both > both, missing));
            let both = order.len() / 2;
            let mut news = (0..before).filter(|_| told.is_news(1, kind())).count();
            news += order.iter().filter(|old| told.is_news(if **old { 1 } else { 2 }, kind())).count();
            prop_assert_eq!(news, before + both);
            told.end(1);
            news += (0..after).filter(|_| told.is_news(2, kind())).count();
            prop_assert_eq!(news, before + both + after);
        }
    }
}
