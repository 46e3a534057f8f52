//! How long messages of the handshake may be.

use rustls::{Error, InvalidMessage};

/// The longest message that is let through.
///
/// rustls keeps what is listed in a message as objects, of up to ten times its length, before anybody is known: a longer one could
/// exhaust the memory of a board. Certificates of P-256 are far shorter, a few of them together too.
pub(super) const LONGEST_MESSAGE: usize = 4096;

/// The length of the header of a message: its kind, and how much follows (RFC 8446, 4).
const HEADER: usize = 4;

/// How far the messages have come that one direction has sent under one key.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    /// How much of the next header.
    header: usize,
    /// How much of the message behind it is still to come.
    rest: usize,
}

impl Lengths {
    /// This has come of them.
    ///
    /// # Errors
    ///
    /// One of them says that it is longer than the longest.
    pub(super) fn follow(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while let [byte, others @ ..] = data {
            if self.header == HEADER {
                let count = self.rest.min(data.len());
                self.rest -= count;
                data = data.get(count..).unwrap_or_default();
            } else {
                self.header += 1;
                // The first byte is the kind.
                self.rest = (self.rest << 8 | usize::from(*byte)) & 0xff_ffff;
                data = others;
            }
            if self.header == HEADER && self.rest > LONGEST_MESSAGE - HEADER {
                return Err(InvalidMessage::HandshakePayloadTooLarge.into());
            }
            if self.header == HEADER && self.rest == 0 {
                *self = Self::default();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut message = alloc::vec![11, high, middle, low];
        message.resize(HEADER + length, 7);
        message
    }

    fn follow(parts: &[u8], step: usize) -> Result<(), Error> {
        let mut lengths = Lengths::default();
        parts.chunks(step).try_for_each(|part| lengths.follow(part))
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_however_it_comes() {
        let short = [message(0), message(1), message(300)].concat();
        let longest = message(LONGEST_MESSAGE - HEADER);
        let [longer, far_longer] = [LONGEST_MESSAGE - HEADER + 1, 0xff_ffff]
            .map(|length| message(length)[..HEADER].to_vec());
        for step in [1, 2, 3, 5, 300, 5000] {
            let allowed = [&short[..], &longest, &short, &longest].concat();
            assert_eq!(follow(&allowed, step), Ok(()), "in steps of {step}");
            for too_long in [&longer, &far_longer] {
                let refused = [&allowed, &too_long[..]].concat();
                assert_eq!(
                    follow(&refused, step),
                    Err(InvalidMessage::HandshakePayloadTooLarge.into()),
                    "in steps of {step}"
                );
            }
        }
    }
}
