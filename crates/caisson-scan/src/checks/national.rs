//! National numbers. Each with where its rule is public; all take the value with whatever stands between its digits.

use super::numbers::{digits, luhn, number, weighed};

/// ISO 7064 MOD 11,10.
fn mod_11_10(digits: &[u8]) -> bool {
    let product = |product: u32, digit: &u8| {
        let sum = (product + u32::from(*digit)) % 10;
        2 * if sum == 0 { 10 } else { sum } % 11
    };
    let Some((check, body)) = digits.split_last() else { return false };
    (11 - body.iter().fold(10, product)) % 10 == u32::from(*check)
}

/// Whether the first digits have a month and a day, at these places.
fn has_date(digits: &[u8], month: usize, day: usize) -> bool {
    (1..=12).contains(&number(&digits[month..month + 2])) && (1..=31).contains(&number(&digits[day..day + 2]))
}

fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

pub(super) fn us_ssn(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 9
        && !matches!(number(&digits[..3]), 0 | 666 | 900..)
        && number(&digits[3..5]) != 0
        && number(&digits[5..]) != 0
}

pub(super) fn german_tax_id(value: &[u8]) -> bool {
    let digits = digits(value);
    let repeats = |digit: &u8| digits[..10].iter().filter(|other| *other == digit).count() > 1;
    digits.len() == 11 && digits[0] != 0 && digits[..10].iter().any(repeats) && mod_11_10(&digits)
}

/// Corsica's departments 2A and 2B count as 19 and 18.
pub(super) fn french_nir(value: &[u8]) -> bool {
    let text: Vec<u8> = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied().collect();
    let corsican = |letter: u8, as_digits: &[u8; 2]| {
        (text.get(5) == Some(&b'2') && text.get(6) == Some(&letter))
            .then(|| [&text[..5], as_digits, &text[7..]].concat())
    };
    let text = corsican(b'A', b"19").or_else(|| corsican(b'B', b"18")).unwrap_or(text);
    let digits = digits(&text);
    digits.len() == 15
        && matches!(digits[0], 1 | 2)
        && (1..=12).contains(&number(&digits[3..5]))
        && 97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

pub(super) fn spanish_dni(value: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let text: Vec<u8> =
        value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    let Some((letter, body)) = text.split_last() else { return false };
    // A foreigner's begins with a letter for a digit.
    let body: Vec<u8> = match body {
        [first @ b'X'..=b'Z', rest @ ..] => [&[first - b'X' + b'0'], rest].concat(),
        _ => body.to_vec(),
    };
    let digits = digits(&body);
    digits.len() == 8 && body.len() == 8 && LETTERS[(number(&digits) % 23) as usize] == *letter
}

pub(super) fn italian_fiscal_code(value: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let text: Vec<u8> = value.iter().map(u8::to_ascii_uppercase).collect();
    if text.len() != 16 || !text.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    // Odd and even count from one, as the decree does.
    let sum = text[..15].iter().enumerate().map(|(at, byte)| {
        let place = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
        if at % 2 == 0 { ODD[usize::from(place)] } else { u32::from(place) }
    });
    u32::from(text[15]) == u32::from(b'A') + sum.sum::<u32>() % 26
}

/// The month holds the century.
pub(super) fn pesel(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 11
        && matches!(number(&digits[2..4]) % 20, 1..=12)
        && (1..=31).contains(&number(&digits[4..6]))
        && weighed(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn dutch_bsn(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 9
        && !all_same(&digits)
        && (weighed(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 - u32::from(digits[8])).is_multiple_of(11)
}

pub(super) fn belgian_number(value: &[u8]) -> bool {
    let digits = digits(value);
    if digits.len() != 11 || number(&digits[2..4]) > 12 || number(&digits[4..6]) > 31 {
        return false;
    }
    let (body, check) = (number(&digits[..9]), number(&digits[9..]));
    [body, 2_000_000_000 + body].into_iter().any(|body| 97 - body % 97 == check)
}

pub(super) fn swedish_number(value: &[u8]) -> bool {
    let digits = digits(value);
    let Some(short) = digits.len().checked_sub(10).map(|century| &digits[century..]) else { return false };
    matches!(digits.len(), 10 | 12) && has_date(short, 2, 4) && luhn(short)
}

pub(super) fn norwegian_number(value: &[u8]) -> bool {
    let digits = digits(value);
    let check = |sum: u32| (11 - sum % 11) % 11;
    digits.len() == 11
        && has_date(&digits, 2, 0)
        && check(weighed(&digits[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2])) == u32::from(digits[9])
        && check(weighed(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])) == u32::from(digits[10])
}

pub(super) fn finnish_code(value: &[u8]) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((check, body)) = value.split_last() else { return false };
    let digits = digits(body);
    digits.len() == 9
        && has_date(&digits, 2, 0)
        && CHECKS[(number(&digits) % 31) as usize] == check.to_ascii_uppercase()
}

/// Two digits, each 11 less the sum mod 11, and 0 for 10 and 11: Brazil's way.
fn two_checks(digits: &[u8], first: &[u32], second: &[u32]) -> bool {
    let check = |sum: u32| if sum % 11 < 2 { 0 } else { 11 - sum % 11 };
    let at = digits.len() - 2;
    !all_same(digits)
        && check(weighed(&digits[..at], first)) == u32::from(digits[at])
        && check(weighed(&digits[..=at], second)) == u32::from(digits[at + 1])
}

pub(super) fn cpf(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 11
        && two_checks(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

pub(super) fn cnpj(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 14
        && two_checks(
            &digits,
            &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
            &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2],
        )
}

/// Verhoeff: the dihedral group of ten, and a permutation by place.
pub(super) fn aadhaar(value: &[u8]) -> bool {
    const TIMES: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const PLACES: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |at: usize, digit: u8| (0..at % 8).fold(digit, |digit, _| PLACES[usize::from(digit)]);
    let digits = digits(value);
    digits.len() == 12
        && digits[0] > 1
        && digits
            .iter()
            .rev()
            .enumerate()
            .fold(0, |sum: u8, (at, digit)| TIMES[usize::from(sum)][usize::from(permuted(at, *digit))])
            == 0
}

pub(super) fn chinese_id(value: &[u8]) -> bool {
    const CHECKS: &[u8; 11] = b"10X98765432";
    let Some((check, body)) = value.split_last() else { return false };
    let digits = digits(body);
    digits.len() == 17
        && has_date(&digits, 10, 12)
        && matches!(number(&digits[6..8]), 18..=20)
        && CHECKS[(weighed(&digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11) as usize]
            == check.to_ascii_uppercase()
}

pub(super) fn nhs_number(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 10
        && !all_same(&digits)
        && (11 - weighed(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 == u32::from(digits[9])
}

pub(super) fn canadian_sin(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 9 && !matches!(digits[0], 0 | 8) && luhn(&digits)
}

pub(super) fn australian_tfn(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 9
        && !all_same(&digits)
        && weighed(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

pub(super) fn swiss_ahv(value: &[u8]) -> bool {
    let digits = digits(value);
    digits.len() == 13
        && number(&digits[..3]) == 756
        && weighed(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn turkish_id(value: &[u8]) -> bool {
    let digits = digits(value);
    if digits.len() != 11 || digits[0] == 0 {
        return false;
    }
    let sum = |from: usize| digits[from..9].iter().step_by(2).map(|digit| i32::from(*digit)).sum::<i32>();
    let tenth = (7 * sum(0) - sum(1)).rem_euclid(10);
    let eleventh = digits[..10].iter().map(|digit| i32::from(*digit)).sum::<i32>() % 10;
    tenth == i32::from(digits[9]) && eleventh == i32::from(digits[10])
}

pub(super) fn portuguese_nif(value: &[u8]) -> bool {
    let digits = digits(value);
    let check = |sum: u32| if sum % 11 < 2 { 0 } else { 11 - sum % 11 };
    digits.len() == 9
        && digits[0] != 0
        && check(weighed(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2])) == u32::from(digits[8])
}
