//! How much to read at once.

/// The length of the header of a record (RFC 8446, 5.1).
pub(crate) const RECORD_HEADER: usize = 5;

/// The longest record (RFC 8446, 5.2).
pub(crate) const LONGEST_RECORD: usize = RECORD_HEADER + (1 << 14) + 256;

/// How much ciphertext a read asks for during the handshake. It doubles when the transport fills it.
pub(crate) const FIRST_READ: usize = 4 * 1024;

/// How much a read asks for, by what has come before.
#[expect(unnameable_types, reason = "engines are sealed")]
pub trait Reading: Default {
    /// The handshake is done.
    fn read_less(&mut self);

    /// How much a read asks for when nothing waits to be understood and nothing is known of what will come.
    fn usual(&self) -> usize;

    /// How much the next read asks for, where so much waits to be understood.
    fn next(&self, waiting: usize) -> usize;

    /// This has come, with which so much waits to be understood.
    fn came(&mut self, data: &[u8], waiting: usize);

    /// This has come, but not by a read that it decided on.
    fn came_otherwise(&mut self, data: &[u8]);
}

/// All that there is room for, where the room does not change.
impl Reading for () {
    fn read_less(&mut self) {}

    fn usual(&self) -> usize {
        usize::MAX
    }

    fn next(&self, _waiting: usize) -> usize {
        usize::MAX
    }

    fn came(&mut self, _data: &[u8], _waiting: usize) {}

    fn came_otherwise(&mut self, _data: &[u8]) {}
}
