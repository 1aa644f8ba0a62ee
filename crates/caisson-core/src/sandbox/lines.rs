use bytes::{Buf, Bytes, BytesMut};

/// Room made for a read: enough for most messages, since all of it is cleared first; and for a long one as much as
/// there is of it, up to the most that comes at once.
const ROOM: std::ops::RangeInclusive<usize> = 2 << 10..=16 << 10;

/// Bytes that become lines. Holds what was read and not yet taken, so a read may be cancelled at any time.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    bytes: BytesMut,
    /// So much of `bytes` is known to hold no line end.
    searched: usize,
}

impl LineBuffer {
    /// Where the next read puts its bytes.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.bytes.reserve(self.bytes.len().clamp(*ROOM.start(), *ROOM.end()));
        &mut self.bytes
    }

    /// The next whole line, without its end.
    pub(super) fn line(&mut self) -> Option<Bytes> {
        let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let line = self.bytes.split_to(self.searched + at).freeze();
        self.bytes.advance(1);
        self.searched = 0;
        Some(line)
    }

    /// The bytes that are no whole line yet: how many.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// What was read after the first `from` pending bytes.
    pub(super) fn since(&self, from: usize) -> &[u8] {
        self.bytes.get(from..).unwrap_or_default()
    }

    /// The bytes that are no whole line, taken as they are.
    pub(super) fn rest(&mut self) -> Bytes {
        self.searched = 0;
        self.bytes.split().freeze()
    }
}

/// Whether `bytes`, arriving in pieces that end at `cuts`, become the lines they are.
#[cfg(any(test, feature = "fuzzing"))]
pub fn are_lines(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> bool {
    let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut buffer = LineBuffer::default();
    let mut lines = Vec::new();
    for pair in cuts.windows(2) {
        buffer.room().extend_from_slice(&bytes[pair[0]..pair[1]]);
        lines.extend(std::iter::from_fn(|| buffer.line()));
    }
    lines.push(buffer.rest());
    lines.iter().eq(bytes.split(|byte| *byte == b'\n'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_the_bytes_arrive_the_lines_are_the_same(
            text in "[a-c\n]{0,200}",
            cuts in proptest::collection::vec(0usize..200, 0..20),
        ) {
            prop_assert!(are_lines(text.as_bytes(), cuts));
        }
    }
}
