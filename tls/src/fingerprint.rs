//! Certificates and keys by their hash.

use core::fmt;

/// The SHA-256 of a certificate, or of the key in it.
///
/// It is written and read as `openssl x509 -fingerprint -sha256` shows it: 32 bytes as hexadecimal digits, with or without colons.
///
/// ```
/// use tacket_tls::Fingerprint;
///
/// let shown = "5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B:5A:0B";
/// let fingerprint = Fingerprint::from_hex(shown).unwrap();
/// assert_eq!(fingerprint.to_string(), shown);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// These 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads it from a text. `None`: there are not 64 digits, or something else than digits and colons.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "there are two digits a byte")]
    pub const fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let mut digits = 0;
        let mut text = text.as_bytes();
        while let [character, rest @ ..] = text {
            text = rest;
            let digit = match character {
                b'0'..=b'9' => *character - b'0',
                b'a'..=b'f' => *character - b'a' + 10,
                b'A'..=b'F' => *character - b'A' + 10,
                b':' => continue,
                _ => return None,
            };
            if digits == 2 * bytes.len() {
                return None;
            }
            bytes[digits / 2] = bytes[digits / 2] << 4 | digit;
            digits += 1;
        }
        if digits == 2 * bytes.len() {
            Some(Self(bytes))
        } else {
            None
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
