//! The memory of a session.

use core::fmt;

use zeroize::Zeroize as _;

use super::wire::Wire;

/// Memory for one TLS session at a time, where there is no heap: records of up to `RX` bytes from the peer, each way of up to `TX`
/// bytes to it. It takes 2 x `RX` + 2 x `TX` bytes and about 400 more.
///
/// * `RX`, at least 512: the longest record that the peer sends, with its header of 5 bytes, its tag and its padding.
///   [`ANY_SERVER`](Self::ANY_SERVER) is enough for every server. Less is safe, but only of use where it is known what the server sends, or where it
///   keeps to a [`MaxFragment`](crate::MaxFragment): a longer record, and a certificate is a part of one, is
///   [`GuardError::RecordTooLong`](crate::GuardError::RecordTooLong).
/// * `TX`, at least 512: the longest message of the handshake, which grows with the server's name, the protocols offered and the
///   client's certificate ([`GuardError::NoRoom`](crate::GuardError::NoRoom)). A record takes `TX` - 133 bytes of data.
///
/// After a session, however it ended, it still holds the last data in either direction, up to 2 x `RX` + `TX` bytes of it, until another
/// session overwrites it or [`wipe`](Self::wipe) does. The next session neither sends nor hands out any of it. Keys do not lie here but in the
/// stream: those of `embedded-tls` stay where that was until the memory is used otherwise. Who has to keep them from one who reads the memory
/// of a board has to overwrite that too.
///
/// ```
/// use tacket_tls::TlsStorage;
///
/// // A constant, so it can lie in a static cell from the start.
/// const STORAGE: TlsStorage<{ TlsStorage::<512, 512>::ANY_SERVER }, 1024> = TlsStorage::new();
/// # let _ = STORAGE;
/// ```
///
/// A size that cannot work does not compile:
///
/// ```compile_fail
/// # use tacket_tls::TlsStorage;
/// let storage = TlsStorage::<16_645, 100>::new();
/// ```
pub struct TlsStorage<const RX: usize, const TX: usize> {
    pub(super) wire: Wire,
    pub(super) incoming: [u8; RX],
    pub(super) outgoing: [u8; TX],
    /// Where `embedded-tls` opens a record.
    pub(super) opened: [u8; RX],
    /// Where it makes one.
    pub(super) made: [u8; TX],
    /// An alert, until it can be sent.
    pub(super) alert: [u8; ALERT_ROOM],
}

/// Room for a protected alert.
const ALERT_ROOM: usize = 32;

const LEAST: usize = 512;

impl<const RX: usize, const TX: usize> TlsStorage<RX, TX> {
    /// An `RX` for the longest record that a server may send (RFC 8446, 5.2).
    pub const ANY_SERVER: usize = 5 + (1 << 14) + 256;

    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(RX >= LEAST, "RX is at least 512");
            assert!(TX >= LEAST, "TX is at least 512");
        }
        Self {
            wire: Wire::new(),
            incoming: [0; RX],
            outgoing: [0; TX],
            opened: [0; RX],
            made: [0; TX],
            alert: [0; ALERT_ROOM],
        }
    }

    /// Overwrites what the last session has left.
    ///
    /// ```
    /// # let mut storage = tacket_tls::TlsStorage::<512, 512>::new();
    /// storage.wipe();
    /// ```
    pub fn wipe(&mut self) {
        self.wire = Wire::new();
        self.incoming.zeroize();
        self.outgoing.zeroize();
        self.opened.zeroize();
        self.made.zeroize();
        self.alert.zeroize();
    }
}

impl<const RX: usize, const TX: usize> Default for TlsStorage<RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const RX: usize, const TX: usize> fmt::Debug for TlsStorage<RX, TX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: some are secret.
        f.debug_struct("TlsStorage")
            .field("rx", &RX)
            .field("tx", &TX)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_in_memory_that_was_wiped() {
        let mut storage = TlsStorage::<512, 513>::new();
        storage.incoming.fill(1);
        storage.outgoing.fill(1);
        storage.opened.fill(1);
        storage.made.fill(1);
        storage.alert.fill(1);
        storage.wire.outbound.get_mut().put(&[1; 128]);
        storage.wire.inbound.get_mut().put(&[1; 128]);
        storage.wipe();
        assert_eq!(storage.incoming, [0; 512]);
        assert_eq!(storage.outgoing, [0; 513]);
        assert_eq!(storage.opened, [0; 512]);
        assert_eq!(storage.made, [0; 513]);
        assert_eq!(storage.alert, [0; ALERT_ROOM]);
        assert!(storage.wire.outbound.get_mut().is_empty());
        assert!(storage.wire.inbound.get_mut().is_empty());
    }
}
