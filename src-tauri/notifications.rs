//! The notifications of the system: shows what [`crate::notice`] says, and hears which button is pressed. Where there
//! are no buttons, the window asks.

use std::sync::Arc;

use caisson_core::model::{Offer, Question, QuestionId};

#[cfg(all(unix, not(target_os = "macos")))]
use crate::notice::{Notice, Subject};
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
        buttons::show(Subject::Question(question.id), Notice::of(question), &self.shown, &self.wishes);
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        (self.wishes)(Wish::Open);
    }

    /// Tells what a server is kept from. Where there are no buttons, the window shows it to who opens it.
    pub(crate) fn offer(&self, offer: &Offer) {
        #[cfg(all(unix, not(target_os = "macos")))]
        buttons::show(Subject::Offer(offer.clone()), Notice::of_offer(offer), &self.shown, &self.wishes);
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        let _ = offer;
    }

    /// Takes away what tells it.
    pub(crate) fn withdraw(&self, offer: &Offer) {
        #[cfg(all(unix, not(target_os = "macos")))]
        buttons::settle(&Subject::Offer(offer.clone()), &self.shown);
        #[cfg(not(all(unix, not(target_os = "macos"))))]
        let _ = offer;
    }

    /// Takes away what asks a question.
    pub(crate) fn settle(&self, id: QuestionId) {
        #[cfg(all(unix, not(target_os = "macos")))]
        buttons::settle(&Subject::Question(id), &self.shown);
    }
}

/// Notifications with buttons, over D-Bus.
#[cfg(all(unix, not(target_os = "macos")))]
mod buttons {
    use std::{
        sync::{Arc, Mutex, MutexGuard, PoisonError},
        thread,
    };

    use notify_rust::{Notification, NotificationHandle, Timeout, Urgency};

    use crate::{
        notice::{self, Notice, Subject},
        wish::Wish,
    };

    /// Notifications at a time; the window has all that waits.
    const MOST: usize = 3;

    /// Those that are shown, by the number the desktop gave them; none while one is being shown.
    pub(super) type Shown = Mutex<Vec<(Subject, Option<u32>)>>;

    type Wishes = Arc<dyn Fn(Wish) + Send + Sync>;

    pub(super) fn show(subject: Subject, notice: Notice, shown: &Arc<Shown>, wishes: &Wishes) {
        {
            let mut shown = lock(shown);
            if shown.len() >= MOST || shown.iter().any(|(known, _)| known.is_same(&subject)) {
                return;
            }
            shown.push((subject.clone(), None));
        }
        let (shown, wishes) = (Arc::clone(shown), Arc::clone(wishes));
        // A thread of its own: it waits for the button.
        let asking = thread::Builder::new().name("notification".into()).spawn(move || {
            match send(&notice) {
                Ok(handle) => {
                    let mut all = lock(&shown);
                    let kept = all.iter_mut().find(|(known, _)| known.is_same(&subject));
                    let kept = kept.map(|(_, number)| *number = Some(handle.id()));
                    drop(all);
                    match kept {
                        Some(()) => handle.wait_for_action(|action| {
                            notice::wish(action).into_iter().for_each(|wish| wishes(wish));
                        }),
                        // It was settled while it was being shown.
                        None => handle.close(),
                    }
                }
                Err(error) if notice.urgent => {
                    tracing::debug!(%error, "the window asks, since notifications cannot");
                    wishes(Wish::Open);
                }
                Err(error) => tracing::debug!(%error, "a notification is not shown"),
            }
            // Not every desktop takes away what was answered.
            if let Some(number) = forget(&subject, &shown) {
                take_away(number);
            }
        });
        if let Err(error) = asking {
            tracing::warn!(%error, "no notification can be shown");
        }
    }

    pub(super) fn settle(subject: &Subject, shown: &Arc<Shown>) {
        if let Some(number) = forget(subject, shown) {
            // It speaks to the bus and waits for it.
            drop(thread::Builder::new().name("notification".into()).spawn(move || take_away(number)));
        }
    }

    /// Forgets that it is shown, and gives its number.
    fn forget(subject: &Subject, shown: &Shown) -> Option<u32> {
        let mut shown = lock(shown);
        let at = shown.iter().position(|(known, _)| known.is_same(subject))?;
        shown.swap_remove(at).1
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

    fn send(notice: &Notice) -> Result<NotificationHandle, String> {
        let text = |error: notify_rust::error::Error| error.to_string();
        if !notify_rust::get_capabilities().map_err(text)?.iter().any(|can| can == "actions") {
            return Err("this desktop's notifications have no buttons".into());
        }
        let milliseconds = u32::try_from(notice.patience.as_millis()).unwrap_or(u32::MAX);
        let mut notification = Notification::new();
        for (wish, label) in &notice.buttons {
            notification.action(&wish.to_string(), label);
        }
        notification
            .appname("Caisson")
            .icon("caisson")
            .summary(&notice.title)
            .body(&notice.body)
            .action("default", "Open Caisson")
            .urgency(if notice.urgent { Urgency::Critical } else { Urgency::Normal })
            .timeout(Timeout::Milliseconds(milliseconds))
            .show()
            .map_err(text)
    }

    // No panic happens while the lock is held.
    fn lock(shown: &Shown) -> MutexGuard<'_, Vec<(Subject, Option<u32>)>> {
        shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
