//! The server's side of a conversation.

use core::cell::{Cell, RefCell};

use embedded_io_async::Write as _;
use tacket::testing::Pattern;
use tacket::{Error as _, Fault, ReceiveStream as _, SendStream as _};
use tacket_std::{IoError, TcpStream};

use crate::opening::{Ending, Opening};

/// How much a server receives or sends at once for a client, where it has a buffer for it alone.
const OWN_BUFFER: usize = 4 << 10;

/// What is counted for all conversations.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) received: Cell<u64>,
    pub(crate) sent: Cell<u64>,
    /// Sends that there was no room for, or not enough.
    pub(crate) short_sends: Cell<u64>,
}

/// Adds to what was counted.
pub(crate) fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

/// How a conversation went that the client did not cut short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The client has ended, and all was said.
    All,
    /// The server has heard enough: it is to reset the connection.
    Enough,
}

/// Why a conversation did not go on.
#[derive(Debug)]
#[expect(dead_code, reason = "told as it is")]
pub(crate) enum Trouble {
    Stream(IoError),
    /// Another byte than the client's seed says, at this place.
    Differs(u64),
    /// More than the client said it would say.
    TooMuch(u64),
    /// The client's end, after so much.
    EndsAt(u64),
}

impl Trouble {
    /// Whether the peer broke the connection.
    pub(crate) fn is_reset(&self) -> bool {
        matches!(self, Self::Stream(error) if error.fault() == Fault::Broken)
    }
}

impl From<IoError> for Trouble {
    fn from(error: IoError) -> Self {
        Self::Stream(error)
    }
}

/// A conversation: a byte for each of the client's, and after its end what it asked for.
#[derive(Debug)]
pub(crate) struct Conversation<'h> {
    pub(crate) stream: &'h mut TcpStream,
    pub(crate) counts: &'h Counts,
    pub(crate) opening: Opening,
    /// What the client has said.
    pub(crate) heard: Pattern,
    /// What was answered.
    pub(crate) said: Pattern,
}

impl Conversation<'_> {
    /// Has it, with a buffer for it alone.
    pub(crate) async fn have(&mut self) -> Result<Answered, Trouble> {
        let mut buf = vec![0; OWN_BUFFER];
        loop {
            let count = self.stream.receive_some(&mut buf).await?;
            if self.hear(&buf[..count])? {
                return Ok(Answered::Enough);
            }
            while self.owed(count == 0) > 0 {
                let piece = self.prepare(count == 0, &mut buf);
                let sent = self.stream.write(piece).await?;
                let asked = piece.len();
                self.note_sent(asked, sent);
            }
            if count == 0 {
                self.stream.flush().await?;
                return Ok(Answered::All);
            }
        }
    }

    /// Has it, with a buffer that it has only while something is there, or can be sent.
    pub(crate) async fn have_by(&mut self, shared: &RefCell<Vec<u8>>) -> Result<Answered, Trouble> {
        loop {
            let ended = loop {
                self.stream.wait_receive_some_might_not_block().await?;
                let buf = &mut *shared.borrow_mut();
                if let Some(count) = self.stream.try_receive_some(buf)? {
                    if self.hear(&buf[..count])? {
                        return Ok(Answered::Enough);
                    }
                    break count == 0;
                }
            };
            while self.owed(ended) > 0 {
                if !self.try_send(ended, &mut shared.borrow_mut())? {
                    self.stream.wait_send_all_might_not_block().await?;
                }
            }
            if ended {
                return Ok(Answered::All);
            }
        }
    }

    /// Whether there was room.
    fn try_send(&mut self, ended: bool, buf: &mut [u8]) -> Result<bool, Trouble> {
        let piece = self.prepare(ended, buf);
        let asked = piece.len();
        let sent = self.stream.try_send_some(piece)?;
        self.note_sent(asked, sent.unwrap_or_default());
        Ok(sent.is_some())
    }

    /// Checks what the client says; nothing is its end. Whether that is enough.
    fn hear(&mut self, data: &[u8]) -> Result<bool, Trouble> {
        add(&self.counts.received, data.len() as u64);
        self.heard.verify(data).map_err(Trouble::Differs)?;
        let (heard, length) = (self.heard.position(), self.opening.length);
        match self.opening.ending {
            Ending::ServerResets if heard >= length => Ok(true),
            Ending::Orderly if heard == length => Ok(false),
            _ if data.is_empty() => Err(Trouble::EndsAt(heard)),
            _ if heard >= length => Err(Trouble::TooMuch(heard)),
            _ => Ok(false),
        }
    }

    /// How much there is to say now.
    fn owed(&self, ended: bool) -> u64 {
        let tail = if ended { self.opening.tail } else { 0 };
        self.heard.position() + tail - self.said.position()
    }

    /// What to say next, in `buf`.
    fn prepare<'b>(&self, ended: bool, buf: &'b mut [u8]) -> &'b [u8] {
        let owed = usize::try_from(self.owed(ended)).unwrap_or(usize::MAX);
        let length = owed.min(buf.len());
        let piece = &mut buf[..length];
        self.said.clone().fill(piece);
        piece
    }

    fn note_sent(&mut self, asked: usize, sent: usize) {
        self.said.skip(sent);
        add(&self.counts.sent, sent as u64);
        add(&self.counts.short_sends, u64::from(sent < asked));
    }
}
