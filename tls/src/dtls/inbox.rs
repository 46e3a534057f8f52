//! Messages that wait to be received.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::error::Refusal;

/// How many wait.
const ROOM: usize = 10;

/// Those of one peer, in the order of coming.
pub(super) struct Inbox {
    messages: VecDeque<Vec<u8>>,
    pub(super) room: usize,
    /// The peer will send no more.
    has_ended: bool,
}

impl Inbox {
    pub(super) const fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            room: ROOM,
            has_ended: false,
        }
    }

    /// One more has come. False: it is dropped, because there is no room, or it came behind the end.
    pub(super) fn push(&mut self, message: &[u8]) -> bool {
        let has_room = !self.has_ended && self.messages.len() < self.room;
        if has_room {
            self.messages.push_back(message.to_vec());
        }
        has_room
    }

    /// The peer will send no more.
    pub(super) const fn end(&mut self) {
        self.has_ended = true;
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Puts the next message to the front of `buf`. `None`: there is none yet. `Some(None)`: there will be none.
    pub(super) fn receive(&mut self, buf: &mut [u8]) -> Result<Option<Option<usize>>, Refusal> {
        if let Some(message) = self.messages.front() {
            let length = message.len();
            let Some(place) = buf.get_mut(..length) else {
                return Err(Refusal::BufferTooSmall(length));
            };
            place.copy_from_slice(message);
            self.messages.pop_front();
            return Ok(Some(Some(length)));
        }
        Ok(self.has_ended.then_some(None))
    }

    /// The next message, whole.
    pub(super) fn take(&mut self) -> Result<Option<Option<Vec<u8>>>, Refusal> {
        match self.messages.pop_front() {
            Some(message) => Ok(Some(Some(message))),
            None => Ok(self.has_ended.then_some(None)),
        }
    }
}
