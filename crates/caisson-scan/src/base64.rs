//! Base64 as people paste it: either alphabet (RFC 4648, 4 and 5), with and without padding, over several lines.

/// What is no character of either alphabet.
const NONE: u8 = 0xFF;

/// What each character stands for.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < 26 {
        values[b'A' as usize + at] = at as u8;
        values[b'a' as usize + at] = at as u8 + 26;
        at += 1;
    }
    let mut digit = 0;
    while digit < 10 {
        values[b'0' as usize + digit] = digit as u8 + 52;
        digit += 1;
    }
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    values
};

/// Whether a byte is a character of either alphabet.
pub(super) fn is_character(byte: u8) -> bool {
    VALUES[usize::from(byte)] != NONE
}

/// What a text stands for. Characters of no alphabet are passed over, bits that fill no byte are left out.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut held, mut bits) = (0_u32, 0);
    let mut rest = text;
    loop {
        // Four characters at a time, while they are whole and all of the alphabet.
        while bits == 0
            && let [a, b, c, d, after @ ..] = rest
        {
            let values = [a, b, c, d].map(|byte| VALUES[usize::from(*byte)]);
            if values.contains(&NONE) {
                break;
            }
            let [a, b, c, d] = values.map(u32::from);
            let [_, first, second, third] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
            bytes.extend_from_slice(&[first, second, third]);
            rest = after;
        }
        let [byte, after @ ..] = rest else { return bytes };
        let value = VALUES[usize::from(*byte)];
        if value != NONE {
            held = held << 6 | u32::from(value);
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits & 0xFF) as u8);
            }
        }
        rest = after;
    }
}

/// Whether a text begins with what stands for some visible text: after a few bytes of anything else it would be a
/// rare chance.
pub(super) fn begins_readable(text: &[u8]) -> bool {
    let Some(sample) = text.first_chunk::<16>() else { return false };
    let (mut held, mut bits) = (0_u32, 0_u32);
    sample.iter().all(|byte| {
        let value = VALUES[usize::from(*byte)];
        held = held << 6 | u32::from(value & 0x3F);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            return value != NONE && super::runs::is_readable((held >> bits & 0xFF) as u8);
        }
        value != NONE
    })
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_readable() {
        assert!(begins_readable(STANDARD.encode("password = 12").as_bytes()));
        assert!(!begins_readable(b"caissonCoreSrcGate"));
        assert!(!begins_readable(b"short"));
    }

    proptest! {
        #[test]
        fn both_alphabets(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 1_usize..80) {
            prop_assert_eq!(&decode(STANDARD.encode(&bytes).as_bytes()), &bytes);
            let text = URL_SAFE_NO_PAD.encode(&bytes).into_bytes();
            prop_assert_eq!(&decode(&text), &bytes);
            let lines: Vec<&[u8]> = text.chunks(width).collect();
            prop_assert_eq!(&decode(&lines.join(&b"\r\n"[..])), &bytes);
        }
    }
}
