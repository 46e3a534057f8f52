//! Messages over streams of bytes.

use core::cell::RefCell;
use core::task::Poll;
use std::future::poll_fn;

use embedded_io_async::{ErrorType, Write};
use futures_executor::block_on;
use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryPipe, MemorySendStream, Pattern};
use tacket::{
    AsyncResource, Delimited, Error as _, Fault, Framing, FramingError, LengthPrefixed,
    MessageReceiver, MessageSender, Oversize, ReceiveStream, Seen, SendChannel, SendStream,
};

/// The most bytes of a message here.
const MOST: usize = 40;

/// A buffer for that, and four bytes of framing.
const BUFFER: usize = MOST + 4;

/// Messages of every length, without a byte of 0.
fn messages() -> Vec<Vec<u8>> {
    let message = |length| {
        let mut data = vec![0; length];
        Pattern::new(length as u64).fill(&mut data);
        data.iter_mut().for_each(|byte| *byte |= 1);
        data
    };
    (0..=MOST).chain([0, 0, MOST]).map(message).collect()
}

/// Polls `future` a few times, each time it is woken, then drops it and lets others run. `None`: it was not done.
async fn poll_and_drop<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    for _poll in 0..=polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        let mut is_first = true;
        poll_fn(|cx| match std::mem::replace(&mut is_first, false) {
            true => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }
    None
}

async fn send_all<S, F>(stream: S, framing: F) -> Result<(), FramingError<MemoryError>>
where
    S: SendStream<Error = MemoryError> + AsyncResource,
    F: Framing,
{
    let mut sender = MessageSender::<_, _, BUFFER>::new(stream, framing);
    for message in messages() {
        sender.send(&message).await?;
    }
    sender.close().await
}

async fn receive_all<R, F>(stream: R, framing: F) -> Vec<Vec<u8>>
where
    R: ReceiveStream<Error = MemoryError>,
    F: Framing,
{
    let mut receiver = MessageReceiver::<_, _, BUFFER>::new(stream, framing);
    let mut all = Vec::new();
    while let Some(message) = receiver.receive().await.expect("whole messages") {
        all.push(message.to_vec());
    }
    assert_eq!(receiver.receive().await, Ok(None));
    all
}

#[test]
fn messages_of_every_length_arrive_in_whatever_pieces_their_bytes_do() {
    fn run<F: Framing + Copy, const PIPE: usize>(framing: F) {
        let pipe = MemoryPipe::new([0; PIPE]);
        let (tx, rx) = pipe.open().unwrap();
        let both = join(send_all(tx, framing), receive_all(rx, framing));
        let (sent, received) = block_on(both);
        sent.unwrap();
        assert_eq!(received, messages());
    }
    run::<_, 1>(LengthPrefixed::<1>);
    run::<_, 3>(LengthPrefixed::<2>);
    run::<_, 7>(LengthPrefixed::<4>);
    run::<_, 2000>(LengthPrefixed::<4>);
    run::<_, 1>(Delimited(0));
    run::<_, 64>(Delimited(0));
}

#[test]
fn no_message_is_lost_parted_or_doubled_when_sends_and_receives_are_dropped_all_the_time() {
    for polls in 0..3 {
        let done = RefCell::new(Vec::new());
        let pipe = MemoryPipe::new([0; 3]);
        let (tx, rx) = pipe.open().unwrap();
        let sending = async {
            let mut sender = MessageSender::<_, _, BUFFER>::new(tx, LengthPrefixed::<2>);
            for message in messages() {
                // Dropped on its way, it has begun: the rest goes before the next.
                let sent = poll_and_drop(polls, sender.send(&message)).await;
                if sent == Some(Ok(())) {
                    done.borrow_mut().push(message);
                }
            }
            sender.close().await.unwrap();
        };
        let receiving = async {
            let mut receiver = MessageReceiver::<_, _, BUFFER>::new(rx, LengthPrefixed::<2>);
            let mut all = Vec::new();
            loop {
                match poll_and_drop(polls, receiver.receive()).await {
                    None => {}
                    Some(Ok(Some(message))) => all.push(message.to_vec()),
                    Some(end) => {
                        assert_eq!(end, Ok(None));
                        return all;
                    }
                }
            }
        };
        let ((), received) = block_on(join(sending, receiving));
        // One whose send was dropped before it began is not there; all others are, whole and in order.
        let is_part = |part: &[Vec<u8>], whole: &[Vec<u8>]| {
            let mut rest = whole.iter();
            part.iter()
                .all(|message| rest.any(|other| other == message))
        };
        assert!(is_part(&received, &messages()), "{received:?}");
        assert!(is_part(&done.into_inner(), &received), "{received:?}");
        assert!(received.len() > 10, "{} messages", received.len());
    }
}

#[test]
fn a_message_that_is_too_long_to_send_is_refused_with_both_sizes_and_the_next_goes() {
    let pipe = MemoryPipe::new([0; 100]);
    let (tx, mut rx) = pipe.open().unwrap();
    let mut sender = MessageSender::<_, _, 12>::new(tx, LengthPrefixed::<2>);
    let error = block_on(sender.send(&[1; 11])).unwrap_err();
    let expected = Oversize {
        length: 11,
        most: 10,
    };
    assert_eq!(error, FramingError::TooLongToSend(expected));
    assert_eq!(
        error.to_string(),
        "a message of 11 bytes cannot be sent, 10 are the most"
    );
    assert_eq!(error.fault(), Fault::InvalidInput);
    block_on(SendChannel::send(&mut sender, &[2; 10])).unwrap();
    let mut buf = [9; 100];
    assert_eq!(block_on(rx.receive_some(&mut buf)), Ok(12));
    assert_eq!(buf[..12], [0, 10, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);

    let mut frame = [0; 400];
    let error = LengthPrefixed::<1>.put(&[0; 256], &mut frame).unwrap_err();
    assert_eq!(
        error,
        Oversize {
            length: 256,
            most: 255
        }
    );
    let error = Delimited(b'\n').put(b"two\nlines", &mut frame).unwrap_err();
    assert_eq!(error, Oversize { length: 9, most: 3 });
}

#[test]
fn a_close_after_the_peer_has_left_is_no_failure_when_nothing_is_unsent() {
    /// It can be closed, and nothing else any more.
    struct Left(MemorySendStream<'static, [u8; 4]>);

    impl ErrorType for Left {
        type Error = MemoryError;
    }

    impl Write for Left {
        async fn write(&mut self, data: &[u8]) -> Result<usize, MemoryError> {
            self.0.write(data).await
        }

        async fn flush(&mut self) -> Result<(), MemoryError> {
            Err(MemoryError::Broken)
        }
    }

    impl SendStream for Left {
        async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
            self.0.wait_send_all_might_not_block().await
        }
    }

    impl AsyncResource for Left {
        async fn close(self) -> Result<(), MemoryError> {
            self.0.close().await
        }
    }

    let pipe = Box::leak(Box::new(MemoryPipe::new([0; 4])));
    let (tx, _rx) = pipe.open().unwrap();
    let sender = MessageSender::<_, _, 64>::new(Left(tx), LengthPrefixed::<1>);
    assert_eq!(block_on(sender.close()), Ok(()));
}

#[test]
fn a_send_begins_with_its_first_poll_when_nothing_is_unsent() {
    let pipe = MemoryPipe::new([0; 4]);
    let (tx, _rx) = pipe.open().unwrap();
    let mut sender = MessageSender::<_, _, 64>::new(tx, LengthPrefixed::<1>);
    assert_eq!(sender.unsent(), 0);
    block_on(poll_and_drop(0, sender.send(b"message")));
    assert_eq!(sender.unsent(), 4);
    block_on(poll_and_drop(0, sender.send(b"another")));
    assert_eq!(sender.unsent(), 4);
}

#[test]
fn a_close_tells_that_the_rest_of_a_message_cannot_be_sent() {
    let pipe = MemoryPipe::new([0; 4]);
    let (tx, rx) = pipe.open().unwrap();
    let mut sender = MessageSender::<_, _, 64>::new(tx, LengthPrefixed::<1>);
    let dropped = block_on(poll_and_drop(1, sender.send(b"longer than the pipe")));
    assert_eq!(dropped, None);
    drop(rx);
    let closed = block_on(sender.close());
    assert_eq!(closed, Err(FramingError::Stream(MemoryError::Broken)));
}

#[test]
fn a_message_that_is_too_long_to_receive_is_an_error_that_stays() {
    fn run(framing: impl Framing, data: &[u8], expected: Oversize) {
        let pipe = MemoryPipe::new([0; 100]);
        let (mut tx, rx) = pipe.open().unwrap();
        block_on(tx.send_all(data)).unwrap();
        let mut receiver = MessageReceiver::<_, _, 12>::new(rx, framing);
        assert_eq!(block_on(receiver.receive()), Ok(Some(&b"ok"[..])));
        for _again in 0..2 {
            let error = block_on(receiver.receive()).unwrap_err();
            assert_eq!(error, FramingError::TooLongToReceive(expected));
            assert_eq!(error.fault(), Fault::Broken);
        }
    }
    let most = 10;
    run(
        LengthPrefixed::<2>,
        b"\0\x02ok\0\x0b",
        Oversize { length: 11, most },
    );
    let length = u32::MAX as usize;
    run(
        LengthPrefixed::<4>,
        b"\0\0\0\x02ok\xff\xff\xff\xff",
        Oversize { length, most: 8 },
    );
    run(
        Delimited(b'\n'),
        b"ok\n0123456789ab",
        Oversize {
            length: 12,
            most: 11,
        },
    );
}

#[test]
fn an_end_within_a_message_is_truncated_and_between_two_it_is_the_end() {
    for (data, whole) in [(&b"\0"[..], 0), (b"\0\x03ab", 0), (b"\0\x01a\0", 1)] {
        let pipe = MemoryPipe::new([0; 100]);
        let (mut tx, rx) = pipe.open().unwrap();
        block_on(tx.send_all(data)).unwrap();
        block_on(tx.close()).unwrap();
        let mut receiver = MessageReceiver::<_, _, 12>::new(rx, LengthPrefixed::<2>);
        for _message in 0..whole {
            assert_eq!(block_on(receiver.receive()), Ok(Some(&b"a"[..])));
        }
        for _again in 0..2 {
            let error = block_on(receiver.receive()).unwrap_err();
            assert_eq!(
                (error, error.fault()),
                (FramingError::Truncated, Fault::Truncated)
            );
        }
    }
}

#[test]
fn a_stream_that_fails_is_told_as_such() {
    let pipe = MemoryPipe::new([0; 4]);
    let (tx, rx) = pipe.open().unwrap();
    let mut sender = MessageSender::<_, _, 12>::new(tx, Delimited(b'\n'));
    drop(rx);
    let error = block_on(sender.send(b"lost")).unwrap_err();
    assert_eq!(error, FramingError::Stream(MemoryError::Broken));
    assert_eq!(error.fault(), Fault::Broken);
}

#[test]
fn any_bytes_are_parts_messages_or_too_long_and_never_a_panic() {
    let mut random = Pattern::new(7);
    for length in 0..300 {
        let mut data = vec![0; length];
        random.fill(&mut data);
        for most in [0, 1, 10, 300, usize::MAX] {
            for seen in [
                LengthPrefixed::<1>.look(&data, most),
                LengthPrefixed::<8>.look(&data, most),
                Delimited(data.first().copied().unwrap_or(0)).look(&data, most),
            ] {
                if let Ok(Seen::Message { message, end }) = seen {
                    assert!(message.len() <= most && end <= length && message.end <= end);
                }
            }
        }
    }
}

/// A format that claims what is not so.
struct Lying(Seen);

impl Framing for Lying {
    fn look(&self, _: &[u8], _: usize) -> Result<Seen, Oversize> {
        Ok(self.0.clone())
    }

    fn overhead(&self) -> usize {
        0
    }

    fn put(&self, _: &[u8], frame: &mut [u8]) -> Result<usize, Oversize> {
        Ok(frame.len() + 1)
    }
}

#[test]
fn a_format_that_is_wrong_is_an_error_and_never_a_panic_or_an_end() {
    let message = |start, stop, end| Seen::Message {
        message: start..stop,
        end,
    };
    let pipe = MemoryPipe::new([0; 8]);
    for lie in [
        message(0, 9, 9),
        message(0, 1, 9),
        message(0, 0, 0),
        message(2, 1, 2),
    ] {
        let (mut tx, rx) = pipe.open().unwrap();
        block_on(tx.send_all(b"data")).unwrap();
        let mut receiver = MessageReceiver::<_, _, 8>::new(rx, Lying(lie));
        for _again in 0..2 {
            assert_eq!(block_on(receiver.receive()), Err(FramingError::Malformed));
        }
    }
    let (mut tx, rx) = pipe.open().unwrap();
    block_on(tx.send_all(b"data")).unwrap();
    let mut receiver = MessageReceiver::<_, _, 2>::new(rx, Lying(Seen::Part));
    let too_long = Oversize { length: 3, most: 2 };
    let received = block_on(receiver.receive());
    assert_eq!(received, Err(FramingError::TooLongToReceive(too_long)));
    drop((tx, receiver));

    let (tx, _rx) = pipe.open().unwrap();
    let mut sender = MessageSender::<_, _, 4>::new(tx, Lying(Seen::Part));
    block_on(sender.send(b"?")).unwrap();
}

#[test]
fn a_buffer_too_small_for_the_framing_takes_nothing() {
    let pipe = MemoryPipe::new([0; 8]);
    let (mut tx, rx) = pipe.open().unwrap();
    block_on(tx.send_all(b"\0\0")).unwrap();
    let mut receiver = MessageReceiver::<_, _, 1>::new(rx, LengthPrefixed::<2>);
    let too_long = Oversize { length: 2, most: 0 };
    let received = block_on(receiver.receive());
    assert_eq!(received, Err(FramingError::TooLongToReceive(too_long)));
    let mut sender = MessageSender::<_, _, 1>::new(tx, LengthPrefixed::<2>);
    assert!(block_on(sender.send(b"")).is_err());
}
