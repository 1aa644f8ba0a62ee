//! The notifications of the system: shows what [`crate::notice`] says, and hears which button is pressed. Where there
//! are no buttons, the window asks.

use std::sync::Arc;

use caisson_core::model::{Question, QuestionId};

use crate::wish::Wish;

/// The notifications that are shown.
#[derive(Clone)]
pub(crate) struct Notifications {
    wishes: Arc<dyn Fn(Wish) + Send + Sync>,
    #[cfg(all(unix, not(target_os = "macos")))]
    shown: Arc<buttons::Shown>,
}

impl Notifications {
    /// Buttons that are pressed come to `wishes`.
    pub(crate) fn new(wishes: impl Fn(Wish) + Send + Sync + 'static) -> Self {
        Self {
            wishes: Arc::new(wishes),
            #[cfg(all(unix, not(target_os = "macos")))]
            shown: Arc::default(),
        }
    }

    /// Asks a question.
    pub(crate) fn ask(&self, question: &Question) {
        #[cfg(all(unix, not(target_os = "macos")))]
        buttons::ask(question, &self.shown, &self.wishes);
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        (self.wishes)(Wish::Open);
    }

    /// Takes away what asks a question.
    pub(crate) fn settle(&self, id: QuestionId) {
        #[cfg(all(unix, not(target_os = "macos")))]
        buttons::settle(id, &self.shown);
    }
}

/// Notifications with buttons, over D-Bus.
#[cfg(all(unix, not(target_os = "macos")))]
mod buttons {
    use std::{
        collections::HashMap,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
        thread,
        time::Duration,
    };

    use caisson_core::model::{Question, QuestionId};
    use notify_rust::{Notification, NotificationHandle, Timeout, Urgency};

    use crate::{
        notice::{self, Notice},
        wish::Wish,
    };

    /// Notifications that ask at a time; the window has all questions.
    const MOST: usize = 3;

    /// Those that ask, by the number the desktop gave them; none while one is being shown.
    pub(super) type Shown = Mutex<HashMap<QuestionId, Option<u32>>>;

    type Wishes = Arc<dyn Fn(Wish) + Send + Sync>;

    pub(super) fn ask(question: &Question, shown: &Arc<Shown>, wishes: &Wishes) {
        let id = question.id;
        {
            let mut shown = lock(shown);
            if shown.len() >= MOST || shown.contains_key(&id) {
                return;
            }
            shown.insert(id, None);
        }
        let notice = Notice::of(question);
        let patience = Duration::from_secs(question.until.saturating_sub(question.asked_at));
        let (shown, wishes) = (Arc::clone(shown), Arc::clone(wishes));
        // A thread of its own: it waits for the button.
        let asking = thread::Builder::new().name("notification".into()).spawn(move || {
            match show(&notice, patience) {
                Ok(handle) => {
                    let kept = lock(&shown).get_mut(&id).map(|number| *number = Some(handle.id()));
                    match kept {
                        Some(()) => handle.wait_for_action(|action| {
                            notice::wish(action, id).into_iter().for_each(|wish| wishes(wish));
                        }),
                        // It was settled while it was being shown.
                        None => handle.close(),
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the window asks, since notifications cannot");
                    wishes(Wish::Open);
                }
            }
            // Not every desktop takes away what was answered.
            if let Some(Some(number)) = lock(&shown).remove(&id) {
                take_away(number);
            }
        });
        if let Err(error) = asking {
            tracing::warn!(%error, "no notification can be shown");
        }
    }

    pub(super) fn settle(id: QuestionId, shown: &Arc<Shown>) {
        if let Some(Some(number)) = lock(shown).remove(&id) {
            // It speaks to the bus and waits for it.
            drop(thread::Builder::new().name("notification".into()).spawn(move || take_away(number)));
        }
    }

    fn take_away(number: u32) {
        if let Err(error) = close(number) {
            tracing::debug!(%error, "a notification stays until its time is over");
        }
    }

    /// Takes a notification away, which ends the wait for its buttons (Desktop Notifications Specification 1.3,
    /// `CloseNotification`).
    fn close(number: u32) -> zbus::Result<()> {
        const NAME: &str = "org.freedesktop.Notifications";
        let bus = zbus::blocking::Connection::session()?;
        let path = "/org/freedesktop/Notifications";
        bus.call_method(Some(NAME), path, Some(NAME), "CloseNotification", &(number,)).map(drop)
    }

    fn show(notice: &Notice, patience: Duration) -> Result<NotificationHandle, String> {
        let text = |error: notify_rust::error::Error| error.to_string();
        if !notify_rust::get_capabilities().map_err(text)?.iter().any(|can| can == "actions") {
            return Err("this desktop's notifications have no buttons".into());
        }
        let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        Notification::new()
            .appname("Caisson")
            .icon("caisson")
            .summary(&notice.title)
            .body(&notice.body)
            // The first is what a careless key presses on some desktops.
            .action("deny", "Deny")
            .action("allow", "Allow once")
            .action("default", "Open Caisson")
            .urgency(Urgency::Critical)
            .timeout(Timeout::Milliseconds(milliseconds))
            .show()
            .map_err(text)
    }

    // No panic happens while the lock is held.
    fn lock(shown: &Shown) -> MutexGuard<'_, HashMap<QuestionId, Option<u32>>> {
        shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
