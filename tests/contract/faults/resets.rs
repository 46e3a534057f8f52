//! A peer that leaves after any step of a conversation, in any way, whatever we do first then.

use std::io::ErrorKind;

use futures_util::future::join;
use tacket::{AsyncResource as _, HalfCloseable, ReceiveStream, Split as _};
use tacket_std::IoError;

use super::conversation::{
    CONVERSATIONS, Conversation, Kind, Leaving, Outlook, Tcp, Unix, assert_broken,
};
use super::{begin, run};

/// What we do first once the peer is gone.
#[derive(Clone, Copy, Debug)]
enum First {
    Receive,
    Send,
    Both,
    WaitForRoom,
    End,
    Close,
    Drop,
}

const FIRST: [First; 7] = [
    First::Receive,
    First::Send,
    First::Both,
    First::WaitForRoom,
    First::End,
    First::Close,
    First::Drop,
];

const LEAVING: [Leaving; 2] = [Leaving::Abort, Leaving::Close];

impl First {
    async fn look(
        self,
        outlook: Outlook,
        tx: &mut impl HalfCloseable<Error = IoError>,
        rx: &mut impl ReceiveStream<Error = IoError>,
    ) {
        match self {
            Self::Receive => {
                outlook.receive(rx).await;
                outlook.send(tx).await;
            }
            Self::Send => {
                outlook.send(tx).await;
                outlook.receive(rx).await;
            }
            Self::Both => {
                join(outlook.receive(rx), outlook.send(tx)).await;
            }
            Self::WaitForRoom => {
                outlook.wait(tx);
                outlook.receive(rx).await;
            }
            Self::End => {
                outlook.end(tx).await;
                outlook.receive(rx).await;
            }
            Self::Close | Self::Drop => {}
        }
    }
}

/// Plays each conversation up to each step, has the peer leave there, and hands over what is left.
async fn leave_everywhere<K: Kind>(look: impl AsyncFn(K::Stream, Outlook, First)) {
    for steps in CONVERSATIONS {
        for count in 0..=steps.len() {
            for leaving in LEAVING {
                for first in FIRST {
                    let mut conversation = Conversation::<K>::begin().await;
                    conversation.go(&steps[..count]).await;
                    let Conversation { stream, there } = conversation;
                    if let Some(outlook) = there.leave::<K>(leaving) {
                        // If it fails, this is where.
                        println!("{:?}, {leaving:?}, {first:?}", &steps[..count]);
                        look(stream, outlook, first).await;
                    }
                }
            }
        }
    }
}

/// By the stream itself.
async fn look_whole<K: Kind>(mut stream: K::Stream, outlook: Outlook, first: First) {
    match first {
        First::Receive | First::Both => {
            outlook.receive(&mut stream).await;
            outlook.send(&mut stream).await;
        }
        First::Send => {
            outlook.send(&mut stream).await;
            outlook.receive(&mut stream).await;
        }
        First::WaitForRoom => {
            outlook.wait(&mut stream);
            outlook.receive(&mut stream).await;
        }
        First::End => {
            outlook.end(&mut stream).await;
            outlook.receive(&mut stream).await;
        }
        First::Close => {}
        First::Drop => return,
    }
    let closed = stream.close().await;
    closed.expect("a peer that has left is no failure of a close");
}

async fn look_by_borrowed_halves<K: Kind>(mut stream: K::Stream, outlook: Outlook, first: First) {
    let (mut tx, mut rx) = stream.split();
    first.look(outlook, &mut tx, &mut rx).await;
    drop((tx, rx));
    if !matches!(first, First::Drop) {
        stream.close().await.expect("the peer has left");
    }
}

async fn look_by_owned_halves<K: Kind>(stream: K::Stream, outlook: Outlook, first: First) {
    let (mut tx, mut rx) = K::into_split(stream);
    first.look(outlook, &mut tx, &mut rx).await;
    if !matches!(first, First::Drop) {
        rx.close().await.expect("it waits for nothing");
        tx.close().await.expect("the peer has left");
    }
}

#[test]
fn a_peer_that_resets_after_any_step_breaks_the_stream_there_and_for_good() {
    run(leave_everywhere::<Tcp>(look_whole::<Tcp>));
}

#[test]
fn a_peer_that_resets_after_any_step_breaks_borrowed_halves_too() {
    run(leave_everywhere::<Tcp>(look_by_borrowed_halves::<Tcp>));
}

#[test]
fn a_peer_that_resets_after_any_step_breaks_owned_halves_too() {
    run(leave_everywhere::<Tcp>(look_by_owned_halves::<Tcp>));
}

/// Unix sockets know one reset: by a peer that did not receive all.
#[test]
fn a_peer_that_leaves_data_behind_after_any_step_breaks_a_unix_stream() {
    run(async {
        leave_everywhere::<Unix>(look_whole::<Unix>).await;
        leave_everywhere::<Unix>(look_by_borrowed_halves::<Unix>).await;
        leave_everywhere::<Unix>(look_by_owned_halves::<Unix>).await;
    });
}

/// Has the peer leave after each step, as above, while we wait for what it says next.
async fn leave_who_waits<K: Kind>() {
    let mut waits = 0;
    for steps in CONVERSATIONS {
        for count in 0..=steps.len() {
            for leaving in LEAVING {
                let mut conversation = Conversation::<K>::begin().await;
                conversation.go(&steps[..count]).await;
                if conversation.there.is_silent() {
                    println!("{:?}, {leaving:?}", &steps[..count]);
                    waits += usize::from(wait_and_leave(conversation, leaving).await);
                }
            }
        }
    }
    assert!(waits > 10, "{waits}");
}

/// Returns whether there is such a way to leave.
async fn wait_and_leave<K: Kind>(conversation: Conversation<K>, leaving: Leaving) -> bool {
    let Conversation { mut stream, there } = conversation;
    let (mut tx, mut rx) = stream.split();
    let mut buf = [0; 8];
    let mut receiving = Box::pin(rx.receive_some(&mut buf));
    begin(&mut receiving).await;
    let Some(outlook) = there.leave::<K>(leaving) else {
        return false;
    };
    let received = receiving.as_mut().await;
    drop(receiving);
    match received {
        Ok(count) => assert!(count == 0 && outlook.is_end()),
        Err(error) => {
            assert!(!outlook.is_end());
            assert_broken(&error, &[ErrorKind::ConnectionReset]);
        }
    }
    outlook.receive(&mut rx).await;
    outlook.send(&mut tx).await;
    true
}

#[test]
fn a_peer_that_resets_after_any_step_wakes_who_waits_for_the_next() {
    run(leave_who_waits::<Tcp>());
    run(leave_who_waits::<Unix>());
}
