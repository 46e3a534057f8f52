//! Deviations that only showed on bad wires.

use core::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use embassy_net::tcp::Error;
use embedded_io_async::{Read, Write};
use tacket::{HalfCloseable, Listener as _, ReceiveStream, SendStream, timeout};
use tacket_embassy::Options;
use tacket_embassy::testing::{Side, Wire};

use super::bare::{BARE, BYTES, cancel, join_up, pairs, run, socket, soon};
use crate::embassy::ends::sleep;
use crate::embassy::four_each::{CLOCK, RST, SYN, flags, four_each, listen, pair};

/// Covers EMB-19. The stack forgets a connection 10 s after both ends were exchanged.
#[test]
fn what_came_before_the_end_can_be_received_at_any_time_later() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        let mut buf = [0; 16];
        bare.0.close();
        assert_eq!(bare.1.read(&mut buf).await, Ok(0));
        bare.1.write(b"answer").await.expect("sends");
        bare.1.close();
        sleep(15_000).await;
        assert_eq!(bare.0.read(&mut buf).await, Err(Error::ConnectionReset));

        ours.0.send_eof().await.expect("the end");
        assert_eq!(ours.1.receive_some(&mut buf).await, Ok(0));
        ours.1.send_all(b"answer").await.expect("sends");
        ours.1.send_eof().await.expect("the other end");
        sleep(15_000).await;
        assert_eq!(ours.0.receive_some(&mut buf[..2]).await, Ok(2));
        sleep(15_000).await;
        assert_eq!(ours.0.receive_some(&mut buf).await, Ok(4));
        assert_eq!(&buf[..4], b"swer");
        assert_eq!(ours.0.receive_some(&mut buf).await, Ok(0));
        assert_eq!(ours.0.receive_some(&mut buf).await, Ok(0));
    });
}

type Kept = Rc<RefCell<Option<Vec<u8>>>>;

/// Copies the first packet that `is_it` is true of, and lets everything through that `passes`.
fn keep_first(wire: &Wire, is_it: impl Fn(Side, &[u8]) -> bool + 'static, passes: bool) -> Kept {
    let kept = Kept::default();
    let keeper = Rc::clone(&kept);
    wire.filter(move |from, packet| {
        let is_it = is_it(from, packet);
        if is_it {
            keeper.borrow_mut().get_or_insert_with(|| packet.to_vec());
        }
        passes || !is_it
    });
    kept
}

/// The window in a TCP packet over version 4 of IP.
fn window(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[20 + 14], packet[20 + 15]])
}

/// Sends what fills the receiver, and more once there is room. The acknowledgement that closed the window is overtaken by the one
/// that opened it again, and what is in flight then is lost, once.
async fn overtake_a_closed_window(wire: &Wire, left: &mut impl Write, right: &mut impl Read) {
    let is_closing = |from, packet: &[u8]| from == Side::Right && window(packet) == 0;
    let held_back = keep_first(wire, is_closing, false);
    left.write_all(&[1; BYTES]).await.expect("sends");
    sleep(100).await;
    right.read_exact(&mut [0; BYTES]).await.expect("data");
    sleep(100).await;
    wire.filter(|from, _| from != Side::Left);
    left.write_all(b"more").await.expect("sends");
    let overtaken = held_back.borrow_mut().take();
    wire.inject(Side::Left, &overtaken.expect("a closed window"));
    sleep(100).await;
    wire.filter(|_, _| true);
}

/// Covers EMB-20. The stack takes the window from an acknowledgement that a later one has overtaken.
#[test]
fn an_overtaken_window_stops_a_sender_for_seconds_at_most() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        let mut buf = [0; 16];
        overtake_a_closed_window(&wire, &mut bare.0, &mut bare.1).await;
        let hour = timeout(&CLOCK, Duration::from_secs(3600), bare.1.read(&mut buf));
        hour.await.expect_err("the sender has stopped for ever");
        assert_eq!(bare.0.send_queue(), 4);

        overtake_a_closed_window(&wire, &mut ours.0, &mut ours.1).await;
        let seconds = timeout(
            &CLOCK,
            Duration::from_secs(10),
            ours.1.receive_some(&mut buf),
        );
        assert_eq!(seconds.await.expect("the sender goes on"), Ok(4));
    });
}

fn is_first(from: Side, packet: &[u8]) -> bool {
    from == Side::Left && flags(packet) & SYN != 0
}

/// Covers EMB-21. The stack gives a late copy of a connection's first packet to a socket that listens, if that comes before
/// the connection's own, and then everything else that the peer sends.
#[test]
fn a_late_copy_of_the_first_packet_does_not_disturb_its_connection() {
    let (wire, client, server) = four_each(Options::new().backlog(2));
    run(&wire, async {
        let mut left = socket(&wire, Side::Left);
        let [mut before, mut right] = [(); 2].map(|()| socket(&wire, Side::Right));
        let first = keep_first(&wire, is_first, true);
        join_up(&mut left, &mut right).await;
        cancel(before.accept(BARE)).await;
        let late = first.borrow_mut().take().expect("a first packet");
        wire.inject(Side::Right, &late);
        sleep(100).await;
        let error = left
            .write(b"hello")
            .await
            .expect_err("the copy has reset it");
        assert_eq!(error, Error::ConnectionReset);
    });
    run(&wire, async {
        let mut listener = listen(server);
        let lowest = pair(client, &mut listener).await;
        let _next = pair(client, &mut listener).await;
        let first = keep_first(&wire, is_first, true);
        let (mut left, mut right) = pair(client, &mut listener).await;
        drop(lowest); // its socket listens again, and comes before that of the connection
        sleep(100).await;
        let late = first.borrow_mut().take().expect("a first packet");
        let armed = server.usage().armed;
        let resets = keep_first(&wire, is_reset, true);
        wire.inject(Side::Right, &late);
        sleep(100).await;
        assert!(resets.borrow().is_some(), "the copy took a socket");
        let mut buf = [0; 16];
        left.send_all(b"hello").await.expect("sends");
        assert_eq!(soon(right.receive_some(&mut buf)).await, Some(Ok(5)));
        right.send_all(b"hello").await.expect("sends");
        assert_eq!(soon(left.receive_some(&mut buf)).await, Some(Ok(5)));
        assert_eq!(server.usage().armed, armed);
        assert!(soon(listener.accept()).await.is_none(), "nobody new came");
    });
}

/// Whether the server resets.
fn is_reset(from: Side, packet: &[u8]) -> bool {
    from == Side::Right && flags(packet) & RST != 0
}
