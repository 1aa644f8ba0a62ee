use std::ops::Range;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use caisson_wire::SecretBytes;

use super::SHORTEST;

/// One way a secret is written.
pub(super) struct Form {
    pub(super) text: SecretBytes,
    /// So many of its bytes hold `SHORTEST` bytes of the secret: a line that ends in fewer shows nothing of it.
    least: usize,
}

impl Form {
    /// Where the form begins at the end of a text, and is cut off there.
    pub(super) fn begun_at_end(&self, text: &[u8]) -> Option<Range<usize>> {
        let form = self.text.expose();
        let most = form.len().min(text.len() + 1);
        let begun = (self.least..most)
            .rev()
            .find(|begun| text[text.len() - begun..].eq_ignore_ascii_case(&form[..*begun]))?;
        Some(text.len() - begun..text.len())
    }
}

/// A secret as it is, in hexadecimal, and in base64 of both alphabets, alone or within a longer text, as `user:secret`.
pub(super) fn forms(secret: &[u8]) -> Vec<Form> {
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut all = vec![(secret.to_vec(), SHORTEST), (hex.into_bytes(), 2 * SHORTEST)];
    for before in 0..3 {
        for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let (whole, shared) = in_base64(secret, before, alphabet);
            all.push((whole[..whole.len() - shared].to_vec(), 4 * SHORTEST / 3));
            all.push((whole, 4 * SHORTEST / 3));
        }
    }
    // In a query, a space is written as a plus sign: texts are read with spaces for both.
    let spaced = |(text, least): &(Vec<u8>, usize)| {
        let text: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        (text, *least)
    };
    all.extend(all.iter().filter(|(text, _)| text.contains(&b'+')).map(spaced).collect::<Vec<_>>());
    all.sort();
    all.dedup();
    all.into_iter().map(|(text, least)| Form { text: text.into(), least }).collect()
}

/// What `secret` comes to after so many other bytes, without what holds bits of those; and how many characters at the
/// end hold bits of what follows.
fn in_base64(secret: &[u8], before: usize, alphabet: &impl Engine) -> (Vec<u8>, usize) {
    let mut text = vec![0; before];
    text.extend_from_slice(secret);
    let encoded = alphabet.encode(&text).into_bytes();
    (encoded[(8 * before).div_ceil(6)..].to_vec(), usize::from(!text.len().is_multiple_of(3)))
}
