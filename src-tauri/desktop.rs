//! What the controller asks of the desktop it runs on. The tests' desktop is a list of what was shown.

use crate::tray::Tray;

/// A desktop with a tray.
pub(crate) trait Desktop: Send + 'static {
    /// Shows this from now on.
    fn show_tray(&self, tray: &Tray);
}
