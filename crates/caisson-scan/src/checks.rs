//! What a value must come to for it to be of its kind: checksums, check digits, entropy. Pure functions over bytes.

mod national;
mod numbers;
mod tokens;

use serde::{Deserialize, Serialize};
#[cfg(test)]
pub(super) use tokens::check_of;

/// A check that a value carries in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// The last six characters are the CRC-32 of those before, without the prefix up to the first `_`, in base 62:
    /// tokens of GitHub and npm.
    Crc32Base62,
    /// Letters and digits both: no word of a program.
    Mixed,
    /// A JSON Web Token: its header is base64 of a JSON object with `alg` (RFC 7515, 4.1.1).
    Jwt,
    /// Base64 of a JSON object.
    Base64Json,
    /// The check digit of cards (ISO/IEC 7812-1, annex B), of a known length and issuer.
    Card,
    /// The check digit of ISO/IEC 7812-1 alone.
    Luhn,
    /// The check digits of bank accounts, and their length by country (ISO 13616).
    Iban,
    /// An international number has 8 to 15 digits and a country code that exists (ITU-T E.164).
    Phone,
    /// The United States' social security number: none begins with 000, 666 or 9, nor has a part of zeros.
    UsSsn,
    /// Germany's tax number: one digit occurs more than once, and ISO 7064 MOD 11,10.
    GermanTaxId,
    /// France's social security number: 97 less the number mod 97.
    FrenchNir,
    /// Spain's DNI and NIE: a letter by the number mod 23.
    SpanishDni,
    /// Italy's codice fiscale.
    ItalianFiscalCode,
    /// Poland's PESEL.
    Pesel,
    /// The Netherlands' BSN: the eleven-test.
    DutchBsn,
    /// Belgium's national number: 97 less the number mod 97, with a 2 before it for those born from 2000 on.
    BelgianNumber,
    /// Sweden's personal number: Luhn over ten digits.
    SwedishNumber,
    /// Norway's birth number: two check digits mod 11.
    NorwegianNumber,
    /// Finland's personal code: a character by the number mod 31.
    FinnishCode,
    /// Brazil's CPF: two check digits mod 11.
    Cpf,
    /// Brazil's CNPJ: two check digits mod 11.
    Cnpj,
    /// India's Aadhaar: Verhoeff.
    Aadhaar,
    /// China's resident identity number: ISO 7064 MOD 11-2.
    ChineseId,
    /// The United Kingdom's NHS number: mod 11.
    NhsNumber,
    /// Canada's social insurance number: Luhn, and none begins with 0 or 8.
    CanadianSin,
    /// Australia's tax file number: weights mod 11.
    AustralianTfn,
    /// Switzerland's AHV number: 756 and the check digit of EAN-13.
    SwissAhv,
    /// Turkey's identity number: two check digits.
    TurkishId,
    /// South Africa's identity number: Luhn over thirteen digits.
    SouthAfricanId,
    /// Portugal's NIF: mod 11.
    PortugueseNif,
}

impl Checksum {
    /// Whether a value passes.
    pub(super) fn holds(self, value: &[u8]) -> bool {
        match self {
            Self::Crc32Base62 => tokens::crc32_base62(value),
            Self::Mixed => tokens::mixed(value),
            Self::Jwt => tokens::jwt(value),
            Self::Base64Json => tokens::base64_json(value),
            Self::Card => numbers::card(value),
            Self::Luhn => numbers::luhn(&numbers::digits(value)),
            Self::Iban => numbers::iban(value),
            Self::Phone => numbers::phone(value),
            Self::UsSsn => national::us_ssn(value),
            Self::GermanTaxId => national::german_tax_id(value),
            Self::FrenchNir => national::french_nir(value),
            Self::SpanishDni => national::spanish_dni(value),
            Self::ItalianFiscalCode => national::italian_fiscal_code(value),
            Self::Pesel => national::pesel(value),
            Self::DutchBsn => national::dutch_bsn(value),
            Self::BelgianNumber => national::belgian_number(value),
            Self::SwedishNumber => national::swedish_number(value),
            Self::NorwegianNumber => national::norwegian_number(value),
            Self::FinnishCode => national::finnish_code(value),
            Self::Cpf => national::cpf(value),
            Self::Cnpj => national::cnpj(value),
            Self::Aadhaar => national::aadhaar(value),
            Self::ChineseId => national::chinese_id(value),
            Self::NhsNumber => national::nhs_number(value),
            Self::CanadianSin => national::canadian_sin(value),
            Self::AustralianTfn => national::australian_tfn(value),
            Self::SwissAhv => national::swiss_ahv(value),
            Self::TurkishId => national::turkish_id(value),
            Self::SouthAfricanId => {
                numbers::digits(value).len() == 13 && numbers::luhn(&numbers::digits(value))
            }
            Self::PortugueseNif => national::portuguese_nif(value),
        }
    }
}

/// Shannon's entropy of the bytes of a value, in bits for each of them.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    // What occurs once adds nothing to the sum, and most bytes of a credential do.
    let repeated = counts.iter().filter(|count| **count > 1).map(|count| f64::from(*count));
    let all = value.len().max(1) as f64;
    all.log2() - repeated.map(|count| count * count.log2()).sum::<f64>() / all
}

/// Whether a value was written to stand for one: in documentation, in a template, struck out.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [
        b"example",
        b"placeholder",
        b"changeme",
        b"redacted",
        b"dummy",
        b"your-",
        b"your_",
        b"xxxx",
        b"1234567890",
    ];
    let is_there = |at: usize, word: &[u8]| {
        word[0] == value[at].to_ascii_lowercase()
            && value[at..].get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
    };
    let (mut run, mut before) = (0, None);
    let repeats = value.iter().any(|byte| {
        run = if before == Some(*byte) { run + 1 } else { 1 };
        before = Some(*byte);
        run >= 7
    });
    repeats || (0..value.len()).any(|at| WORDS.iter().any(|word| is_there(at, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_in_bits_for_each_byte() {
        for (value, bits) in
            [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("0123456789abcdef", 4.0)]
        {
            assert!((entropy(value.as_bytes()) - bits).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn what_stands_for_a_value_is_none() {
        for placeholder in
            ["AKIAIOSFODNN7EXAMPLE", "ghp_xxxxxxxx", "sk-0000000000", "YOUR_API_KEY", "abc1234567890"]
        {
            assert!(is_placeholder(placeholder.as_bytes()), "{placeholder}");
        }
        for value in ["", "a8Kd92kdLs0x", "000000"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }
}
