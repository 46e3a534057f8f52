//! What a client offers.

use alloc::vec::Vec;

pub(super) const SERVER_NAME: u16 = 0;
pub(super) const MAX_FRAGMENT_LENGTH: u16 = 1;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const ALPN: u16 = 16;
#[cfg(feature = "rustls")]
pub(super) const RECORD_SIZE_LIMIT: u16 = 28;
pub(super) const PRE_SHARED_KEY: u16 = 41;
#[cfg(not(feature = "rustls"))]
pub(super) const EARLY_DATA: u16 = 42;
#[cfg(not(feature = "rustls"))]
const SUPPORTED_VERSIONS: u16 = 43;

/// The first message of a client (RFC 8446, 4.1.2).
pub(super) struct Hello {
    pub(super) suites: Vec<u16>,
    /// Each with its content.
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// Reads a record.
    pub(super) fn read(record: &[u8]) -> Self {
        // Behind the header of the record, that of the message, the version and the random bytes.
        let mut rest = &record[5 + 4 + 2 + 32..];
        let mut take = |length: usize| {
            let (taken, behind) = rest.split_at(length);
            rest = behind;
            taken
        };
        let session = number(take(1));
        take(session.into());
        let suites = number(take(2));
        let suites = pairs(take(suites.into()));
        let compressions = number(take(1));
        take(compressions.into());
        let mut left = usize::from(number(take(2)));
        let mut extensions = Vec::new();
        while left > 0 {
            let (kind, length) = (number(take(2)), usize::from(number(take(2))));
            extensions.push((kind, take(length).to_vec()));
            left -= 4 + length;
        }
        Self { suites, extensions }
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.extensions.iter().any(|(known, _)| *known == kind)
    }

    pub(super) fn extension(&self, kind: u16) -> &[u8] {
        let found = self.extensions.iter().find(|(known, _)| *known == kind);
        &found.expect("it is offered").1
    }

    pub(super) fn groups(&self) -> Vec<u16> {
        pairs(&self.extension(SUPPORTED_GROUPS)[2..])
    }

    pub(super) fn signatures(&self) -> Vec<u16> {
        pairs(&self.extension(SIGNATURE_ALGORITHMS)[2..])
    }

    #[cfg(not(feature = "rustls"))]
    pub(super) fn versions(&self) -> Vec<u16> {
        pairs(&self.extension(SUPPORTED_VERSIONS)[1..])
    }
}

fn number(bytes: &[u8]) -> u16 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u16::from(*byte))
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks(2).map(number).collect()
}
