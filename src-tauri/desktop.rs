//! What the controller asks of the desktop it runs on. The tests' desktop is a list of what was shown.

use caisson_core::model::{Offer, Question, QuestionId};

use crate::tray::Tray;

/// A desktop with a tray and notifications.
pub(crate) trait Desktop: Send + 'static {
    /// Shows this from now on.
    fn show_tray(&self, tray: &Tray);

    /// Asks the user whether a call may go through. What they press comes back as a wish.
    fn ask(&self, question: &Question);

    /// Tells the user what a server is kept from. What they press comes back as a wish.
    fn offer(&self, offer: &Offer);

    /// That was decided on: whatever still tells it is taken away.
    fn withdraw(&self, offer: &Offer);

    /// A question is settled: whatever still asks it is taken away.
    fn settle(&self, id: QuestionId);
}
