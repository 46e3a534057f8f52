//! How a conversation begins: the server tells the seed of what it will say, and the client answers with what both will do.

/// The length of the server's greeting, its seed, in bytes.
pub(crate) const GREETING: usize = 8;
/// The length of an opening, in bytes.
pub(crate) const OPENING: usize = 32;

/// What a client tells the server before all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Of what the client says after it.
    pub(crate) seed: u64,
    /// How many bytes that is, for the ending that is meant.
    pub(crate) length: u64,
    /// How much the server says after the client's end, beyond a byte for each of the client's.
    pub(crate) tail: u64,
    pub(crate) ending: Ending,
    /// Whether the server is to use a buffer that it shares among its clients.
    pub(crate) shares_buffer: bool,
}

/// How a conversation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client ends its direction after `length` bytes, and hears the server to its end.
    Orderly,
    /// The client drops its stream before it has said `length` bytes.
    ClientResets,
    /// The server drops its stream once it has heard `length` bytes. The client says more.
    ServerResets,
}

impl Opening {
    pub(crate) fn to_bytes(self) -> [u8; OPENING] {
        let ending = match self.ending {
            Ending::Orderly => 0,
            Ending::ClientResets => 1,
            Ending::ServerResets => 2,
        };
        let last = ending << 1 | u64::from(self.shares_buffer);
        let mut bytes = [0; OPENING];
        let words = [self.seed, self.length, self.tail, last];
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    /// `None`: no client says that.
    pub(crate) fn from_bytes(bytes: [u8; OPENING]) -> Option<Self> {
        let mut words = bytes.as_chunks().0.iter().copied().map(u64::from_le_bytes);
        let mut word = || words.next();
        let (seed, length, tail, last) = (word()?, word()?, word()?, word()?);
        let ending = match last >> 1 {
            0 => Ending::Orderly,
            1 => Ending::ClientResets,
            2 => Ending::ServerResets,
            _ => return None,
        };
        Some(Self {
            seed,
            length,
            tail,
            ending,
            shares_buffer: last & 1 != 0,
        })
    }
}
