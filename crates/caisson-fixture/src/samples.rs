//! Small files of each kind that content can be.

use base64::{Engine, prelude::BASE64_STANDARD};

/// A PNG of one red pixel, in base64.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/// A WAV file of no sound: one channel, 8 kHz, no samples; in base64.
pub(crate) const SILENCE: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// `length` bytes in base64, every value of a byte in turn.
pub(crate) fn bytes(length: usize) -> String {
    BASE64_STANDARD.encode((0..=u8::MAX).cycle().take(length).collect::<Vec<_>>())
}
