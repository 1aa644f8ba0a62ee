//! What the controller asks of the desktop it runs on. The tests' desktop is a list of what was shown.

use caisson_core::model::{Question, QuestionId};

use crate::tray::Tray;

/// A desktop with a tray and notifications.
pub(crate) trait Desktop: Send + 'static {
    /// Shows this from now on.
    fn show_tray(&self, tray: &Tray);

    /// Asks the user whether a call may go through. What they press comes back as a wish.
    fn ask(&self, question: &Question);

    /// A question is settled: whatever still asks it is taken away.
    fn settle(&self, id: QuestionId);
}
