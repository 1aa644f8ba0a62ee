/// The digits of a value, whatever stands between them.
pub(super) fn digits(value: &[u8]) -> Vec<u8> {
    value.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect()
}

/// What so many digits come to.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Each digit times its weight, together.
pub(super) fn weighed(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// ISO/IEC 7812-1, annex B. No number of zeros alone.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |(at, digit): (usize, &u8)| {
        let digit = u32::from(*digit) * if at % 2 == 1 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    digits.iter().any(|digit| *digit != 0)
        && digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// Issuers' first digits and the lengths of their numbers: Visa, Mastercard, American Express, Diners, Discover, JCB,
/// UnionPay, Maestro.
pub(super) fn card(value: &[u8]) -> bool {
    let digits = digits(value);
    if !(14..=19).contains(&digits.len()) {
        return false;
    }
    let first = |count: usize| number(&digits[..count]);
    let fits = match first(2) {
        40..=49 => matches!(digits.len(), 16 | 19),
        51..=55 => digits.len() == 16,
        22..=27 => digits.len() == 16 && (2221..=2720).contains(&first(4)),
        34 | 37 => digits.len() == 15,
        30 | 36 | 38 | 39 => digits.len() == 14,
        35 => digits.len() >= 16 && (3528..=3589).contains(&first(4)),
        60 | 64 | 65 => digits.len() >= 16,
        62 | 81 => digits.len() >= 16,
        50 | 56..=58 | 63 | 67 => digits.len() == 16,
        _ => false,
    };
    fits && luhn(&digits)
}

/// Countries with bank account numbers of ISO 13616, and their length.
const IBANS: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18\
    FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25\
    MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23\
    ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// ISO 13616: the number with its first four characters last is 1 mod 97, with letters from A = 10.
pub(super) fn iban(value: &[u8]) -> bool {
    let text: Vec<u8> = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied().collect();
    let Some((country, _)) = text.split_at_checked(2) else { return false };
    let length = IBANS.chunks_exact(4).find(|entry| entry.starts_with(country));
    let length = length.map(|entry| usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0'));
    if length != Some(text.len()) {
        return false;
    }
    let (head, body) = text.split_at(4);
    let rest = body.iter().chain(head).try_fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some((rest * if value < 10 { 10 } else { 100 } + value) % 97)
    });
    rest == Some(1)
}

/// Country codes of ITU-T E.164 in use, but for those of one and two digits that are whole: 1, 7 and the ones below.
const TWO: &str = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";
const THREE: [&str; 11] = ["21", "22", "23", "24", "25", "26", "29", "35", "37", "38", "42"];

pub(super) fn phone(value: &[u8]) -> bool {
    let digits: Vec<u8> = value.iter().filter(|byte| byte.is_ascii_digit()).copied().collect();
    let Ok(text) = std::str::from_utf8(&digits) else { return false };
    let is_country = match text.as_bytes() {
        // In North America area codes and exchanges begin with 2 to 9.
        [b'1', area, _, _, exchange, ..] => text.len() == 11 && *area >= b'2' && *exchange >= b'2',
        [b'7', ..] => text.len() == 11,
        _ => {
            let begins = |code: &str| text.starts_with(code);
            TWO.split(' ').any(begins)
                || THREE.iter().any(|code| begins(code))
                || ["50", "59", "67", "68", "69", "85", "88", "96", "97", "99"].into_iter().any(begins)
        }
    };
    (8..=15).contains(&text.len()) && is_country
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        // Numbers for tests that their issuers publish, in parts.
        for (parts, is_card) in [
            (["4111", "1111", "1111", "1111"], true),
            (["5555", "5555", "5555", "4444"], true),
            (["3782", "822463", "10005", ""], true),
            (["4111", "1111", "1111", "1112"], false),
            (["9111", "1111", "1111", "1111"], false),
            (["0000", "0000", "0000", "0000"], false),
        ] {
            assert_eq!(card(parts.concat().as_bytes()), is_card, "{parts:?}");
        }
        for (text, is_iban) in [
            ("DE89 3704 0044 0532 0130 00", true),
            ("GB29NWBK60161331926819", true),
            ("NL91ABNA0417164300", true),
            ("DE88370400440532013000", false),
            ("DE8937040044053201300", false),
            ("ZZ89370400440532013000", false),
            ("D", false),
        ] {
            assert_eq!(iban(text.as_bytes()), is_iban, "{text}");
        }
        for (text, is_phone) in [
            ("+49 30 901820", true),
            ("+1 (212) 555-0100", true),
            ("+1 112 555 0100", false),
            ("+999999999999999999", false),
            ("+210", false),
            ("+11111111111", false),
            ("+358 9 1234567", true),
        ] {
            assert_eq!(phone(text.as_bytes()), is_phone, "{text}");
        }
        assert_eq!(IBANS.len() % 4, 0);
    }
}
