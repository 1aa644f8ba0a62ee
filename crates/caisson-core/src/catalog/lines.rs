/// Cuts bytes into lines as they come, for progress: what is too long for a line is left out.
pub(super) struct Lines<F> {
    tell: F,
    line: Vec<u8>,
}

const LONGEST: usize = 4096;

impl<F: FnMut(&str)> Lines<F> {
    pub(super) fn new(tell: F) -> Self {
        Self { tell, line: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => {
                    (self.tell)(&String::from_utf8_lossy(&self.line));
                    self.line.clear();
                }
                _ if self.line.len() < LONGEST => self.line.push(byte),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_bytes_are() {
        let mut told = Vec::new();
        let mut lines = Lines::new(|line: &str| told.push(line.to_owned()));
        for part in ["on", "e\ntwo\n\nth", "ree", &"x".repeat(9000), "\n"] {
            lines.push(part.as_bytes());
        }
        assert_eq!(told[..3], ["one", "two", ""]);
        assert_eq!(told[3].len(), LONGEST);
    }
}
