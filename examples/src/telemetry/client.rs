//! Asks a device.

use core::fmt;
use core::net::SocketAddr;
use core::num::NonZeroU16;

use futures_util::future::try_join;
use tacket::{Connect, HalfCloseable, ReceiveStream, SendStream, Stream};

use super::frame::{FrameError, FrameReader};
use super::message::{Entry, Name, Refusal, Request, Response, Sample};

/// How many samples wait for [`Client::next_sample`] while replies are awaited.
const INBOX: usize = 8;

/// The client's end of a session.
///
/// Samples that arrive before the reply to a request are kept for [`next_sample`](Self::next_sample): the first 8 of them.
/// Those that find no room are counted by [`skipped_samples`](Self::skipped_samples), and leave a gap in the sequence numbers.
///
/// It receives while it sends a request, so it never waits in a circle with a device that is sending samples.
///
/// ```
/// use tacket::Stream;
/// use tacket_examples::telemetry::{Client, ClientError, Name};
///
/// async fn warmer<S: Stream>(stream: S, setpoint: Name) -> Result<i32, ClientError<S::Error>> {
///     let mut client = Client::new(stream);
///     let value = client.read(setpoint).await? + 500;
///     client.set(setpoint, value).await?;
///     client.close().await?;
///     Ok(value)
/// }
/// ```
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    frames: FrameReader,
    samples: Samples,
    requests: u32,
    /// A request was sent, perhaps in part, and its reply is still to come.
    awaiting_reply: bool,
}

/// What is known of the latest subscription.
#[derive(Debug)]
struct Samples {
    running: bool,
    /// How many arrived.
    arrived: u16,
    skipped: u64,
    inbox: [Option<Sample>; INBOX],
}

impl<S: Stream> Client<S> {
    /// Starts a session over `stream`.
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            frames: FrameReader::new(),
            samples: Samples {
                running: false,
                arrived: 0,
                skipped: 0,
                inbox: [None; INBOX],
            },
            requests: 0,
            awaiting_reply: false,
        }
    }

    /// Connects to the device at `peer`, and starts a session.
    ///
    /// # Errors
    ///
    /// Those of the network.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped attempt is given up.
    pub async fn connect<N: Connect<Stream = S>>(
        network: &N,
        peer: SocketAddr,
    ) -> Result<Self, N::Error> {
        network.connect(peer).await.map(Self::new)
    }

    /// Calls `each` with every reading of the device, in its order, and returns how many there are.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Not safe. After a drop, requests are refused with [`ClientError::Interrupted`].
    pub async fn list(&mut self, mut each: impl FnMut(Entry)) -> Result<u8, ClientError<S::Error>> {
        let mut count = 0_u8;
        let mut next = self.ask(Request::List).await?;
        // The list has more replies than one: until its end, the request is not done.
        self.awaiting_reply = true;
        loop {
            match next {
                Response::Entry(entry) => {
                    count = count.checked_add(1).ok_or(ClientError::Violation)?;
                    each(entry);
                }
                Response::EndOfList(total) if total == count => {
                    self.awaiting_reply = false;
                    return Ok(count);
                }
                _ => return Err(ClientError::Violation),
            }
            next = reply(&mut self.stream, &mut self.frames, &mut self.samples).await?;
        }
    }

    /// Returns a value, in thousandths of the unit.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Not safe. After a drop, requests are refused with [`ClientError::Interrupted`].
    pub async fn read(&mut self, name: Name) -> Result<i32, ClientError<S::Error>> {
        match self.ask(Request::Read(name)).await? {
            Response::Value(value) => Ok(value),
            _ => Err(ClientError::Violation),
        }
    }

    /// Changes a value, in thousandths of the unit.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Not safe. The value may have been set or not, and after a drop requests are refused with
    /// [`ClientError::Interrupted`].
    pub async fn set(&mut self, name: Name, value: i32) -> Result<(), ClientError<S::Error>> {
        match self.ask(Request::Set(name, value)).await? {
            Response::Done => Ok(()),
            _ => Err(ClientError::Violation),
        }
    }

    /// Asks for `count` samples, one each `interval` milliseconds; [`next_sample`](Self::next_sample) returns them.
    ///
    /// Samples of an earlier subscription that were not fetched are forgotten.
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Not safe. After a drop, requests are refused with [`ClientError::Interrupted`].
    pub async fn subscribe(
        &mut self,
        name: Name,
        interval: NonZeroU16,
        count: NonZeroU16,
    ) -> Result<(), ClientError<S::Error>> {
        let request = Request::Subscribe {
            name,
            interval,
            count,
        };
        match self.ask(request).await? {
            Response::Subscribed if !self.samples.running => {
                self.samples.start();
                Ok(())
            }
            _ => Err(ClientError::Violation),
        }
    }

    /// Returns the next sample of the subscription; `None` once it is over and all were fetched, or if there was none.
    ///
    /// # Errors
    ///
    /// A [`ClientError`], but no refusal.
    ///
    /// # Cancel safety
    ///
    /// Safe. No sample is lost.
    pub async fn next_sample(&mut self) -> Result<Option<Sample>, ClientError<S::Error>> {
        loop {
            if let Some(sample) = self.samples.take() {
                return Ok(Some(sample));
            }
            if !self.samples.running {
                return Ok(None);
            }
            if self.awaiting_reply {
                return Err(ClientError::Interrupted);
            }
            let response = receive(&mut self.stream, &mut self.frames).await?;
            if self.samples.note(response)?.is_some() {
                return Err(ClientError::Violation);
            }
        }
    }

    /// Makes sure that no subscription runs, and returns how many samples the latest one had; 0 if there never was one.
    ///
    /// Samples that have arrived stay there for [`next_sample`](Self::next_sample).
    ///
    /// # Errors
    ///
    /// A [`ClientError`].
    ///
    /// # Cancel safety
    ///
    /// Not safe. After a drop, requests are refused with [`ClientError::Interrupted`].
    pub async fn unsubscribe(&mut self) -> Result<u16, ClientError<S::Error>> {
        match self.ask(Request::Unsubscribe).await? {
            Response::Unsubscribed(sent) => self.samples.end(sent).ok_or(ClientError::Violation),
            _ => Err(ClientError::Violation),
        }
    }

    /// How many requests were sent in this session.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// How many samples found no room while a reply was awaited, in this session.
    pub const fn skipped_samples(&self) -> u64 {
        self.samples.skipped
    }

    /// Ends the session: tells the device, waits for its end, and closes. Samples on their way are dropped.
    ///
    /// # Errors
    ///
    /// A [`ClientError`]. The stream is gone in any case.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it has closed the stream forcefully.
    #[expect(
        clippy::manual_async_fn,
        reason = "in an `async fn`, the stream lies in the future twice"
    )]
    pub fn close(mut self) -> impl Future<Output = Result<(), ClientError<S::Error>>> {
        async move {
            if self.awaiting_reply {
                return Err(ClientError::Interrupted);
            }
            let (mut tx, mut rx) = self.stream.split();
            let frames = &mut self.frames;
            let ending = async { tx.send_eof().await.map_err(ClientError::Stream) };
            let ended = async {
                loop {
                    match receive(&mut rx, frames).await {
                        Ok(Response::Sample(_) | Response::Complete(_)) => {}
                        Ok(_) => return Err(ClientError::Violation),
                        Err(ClientError::Ended) => return Ok(()),
                        Err(error) => return Err(error),
                    }
                }
            };
            try_join(ending, ended).await?;
            drop((tx, rx));
            self.stream.close().await.map_err(ClientError::Stream)
        }
    }

    /// Sends a request and returns the first reply to it.
    async fn ask(&mut self, request: Request) -> Result<Response, ClientError<S::Error>> {
        if self.awaiting_reply {
            return Err(ClientError::Interrupted);
        }
        self.awaiting_reply = true;
        self.requests = self.requests.saturating_add(1);
        let frame = request.encode();
        let (mut tx, mut rx) = self.stream.split();
        let sending = async {
            let sent = tx.send_all(frame.as_bytes()).await;
            sent.map_err(ClientError::Stream)
        };
        let receiving = reply(&mut rx, &mut self.frames, &mut self.samples);
        let ((), response) = try_join(sending, receiving).await?;
        self.awaiting_reply = false;
        match response {
            Response::Refused(refusal) => Err(ClientError::Refused(refusal)),
            response => Ok(response),
        }
    }
}

/// Receives until something other than a sample comes.
async fn reply<R: ReceiveStream>(
    rx: &mut R,
    frames: &mut FrameReader,
    samples: &mut Samples,
) -> Result<Response, ClientError<R::Error>> {
    loop {
        let response = receive(rx, frames).await?;
        if let Some(reply) = samples.note(response)? {
            return Ok(reply);
        }
    }
}

async fn receive<R: ReceiveStream>(
    rx: &mut R,
    frames: &mut FrameReader,
) -> Result<Response, ClientError<R::Error>> {
    match frames.next_frame(rx).await {
        Ok(Some(frame)) => Response::parse(frame).ok_or(ClientError::Violation),
        Ok(None) => Err(ClientError::Ended),
        Err(FrameError::Stream(error)) => Err(ClientError::Stream(error)),
        Err(FrameError::Truncated) => Err(ClientError::Truncated),
        Err(FrameError::TooLong { .. }) => Err(ClientError::Violation),
    }
}

impl Samples {
    const fn start(&mut self) {
        self.running = true;
        self.arrived = 0;
        self.inbox = [None; INBOX];
    }

    /// Ends a subscription of which `sent` samples were sent; returns how many arrived of the latest one.
    fn end(&mut self, sent: u16) -> Option<u16> {
        let expected = if self.running { self.arrived } else { 0 };
        self.running = false;
        (sent == expected).then_some(self.arrived)
    }

    fn take(&mut self) -> Option<Sample> {
        let sample = self.inbox.first_mut()?.take();
        self.inbox.rotate_left(1);
        sample
    }

    /// Keeps what belongs to a subscription and gives back everything else.
    fn note<E>(&mut self, response: Response) -> Result<Option<Response>, ClientError<E>> {
        match response {
            Response::Sample(sample) if self.running && sample.sequence == self.arrived => {
                self.arrived = self.arrived.checked_add(1).ok_or(ClientError::Violation)?;
                match self.inbox.iter_mut().find(|place| place.is_none()) {
                    Some(place) => *place = Some(sample),
                    None => self.skipped += 1,
                }
                Ok(None)
            }
            Response::Complete(sent) if self.running => {
                self.end(sent).ok_or(ClientError::Violation)?;
                Ok(None)
            }
            Response::Sample(_) | Response::Complete(_) => Err(ClientError::Violation),
            reply => Ok(Some(reply)),
        }
    }
}

/// Why a [`Client`] has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError<E> {
    /// The stream failed.
    Stream(E),
    /// The device did not carry out the request. The session goes on.
    Refused(Refusal),
    /// The device ended the session.
    Ended,
    /// The stream ended within a frame.
    Truncated,
    /// The device sent what it must not, or not now.
    Violation,
    /// An earlier request was dropped before its reply came, so no later reply can be told from that one.
    Interrupted,
}

impl<E: fmt::Display> fmt::Display for ClientError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Ended => f.write_str("the device ended the session"),
            Self::Truncated => f.write_str("the stream ended within a frame"),
            Self::Violation => f.write_str("the device breaks the protocol"),
            Self::Interrupted => f.write_str("an earlier request was given up before its reply"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ClientError<E> {}
