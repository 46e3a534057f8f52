//! Tests the driver of the network controller: frames go out and come straight back.
#![no_std]
#![no_main]

use core::future::poll_fn;
use core::task::Poll;

use embassy_executor::Spawner;
use embassy_net_driver::{Driver as _, HardwareAddress, LinkState, RxToken as _, TxToken as _};
use embassy_time::{Duration, with_timeout};
use tacket::testing::Pattern;
use tacket_board::{Ethernet, exit, report};

/// From the least that a frame has, its header, to the most.
const LENGTHS: core::ops::RangeInclusive<usize> = 14..=1514;

/// What shorter frames are padded to.
const SHORTEST: usize = 60;

/// What the controller holds.
const BURST: usize = 6;

/// Frames come back at once.
const LIMIT: Duration = Duration::from_secs(1);

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| spawner.spawn(image().expect("one task")))
}

#[embassy_executor::task]
async fn image() {
    let mut ethernet = tacket_board::ethernet();
    let HardwareAddress::Ethernet(address) = ethernet.hardware_address() else {
        panic!("no Ethernet");
    };
    report!("address {address:02x?}");
    ethernet.set_loopback(true);
    poll_fn(|cx| match ethernet.link_state(cx) {
        LinkState::Up => Poll::Ready(()),
        LinkState::Down => Poll::Pending,
    })
    .await;

    // From the longest, so that padding is seen where the frame before had data.
    for length in LENGTHS.rev() {
        send(&mut ethernet, address, length, length as u64).await;
        receive(&mut ethernet, address, length, length as u64).await;
    }
    report!("every length came back");

    for round in 0..100 {
        for seed in 0..BURST as u64 {
            send(&mut ethernet, address, 1514 - round, seed).await;
        }
        for seed in 0..BURST as u64 {
            receive(&mut ethernet, address, 1514 - round, seed).await;
        }
    }
    report!("bursts came back in order");

    // Frames that find no room are lost, and those behind them are not harmed.
    for seed in 0..20 {
        send(&mut ethernet, address, 1514, seed).await;
    }
    let mut survivors = 0;
    while with_timeout(Duration::from_millis(10), receive_any(&mut ethernet))
        .await
        .is_ok()
    {
        survivors += 1;
    }
    assert!((BURST..20).contains(&survivors), "{survivors} survived");
    send(&mut ethernet, address, 1000, 1).await;
    receive(&mut ethernet, address, 1000, 1).await;
    report!("{survivors} of 20 frames at once came back");

    for seed in 0..100 {
        wake_by_interrupt(&mut ethernet, address, seed).await;
    }
    report!("each frame interrupted");
    exit(true);
}

/// Fills `frame` with a header, from and to this board, and data that the receiver can make too.
fn fill(frame: &mut [u8], address: [u8; 6], seed: u64) {
    frame[..6].copy_from_slice(&address);
    frame[6..12].copy_from_slice(&address);
    frame[12..14].copy_from_slice(&[0x88, 0xB5]); // for local experiments, IEEE 802
    Pattern::new(seed).fill(&mut frame[14..]);
}

async fn send(ethernet: &mut Ethernet, address: [u8; 6], length: usize, seed: u64) {
    poll_fn(|cx| match ethernet.transmit(cx) {
        Some(token) => {
            token.consume(length, |frame| fill(frame, address, seed));
            Poll::Ready(())
        }
        None => Poll::Pending,
    })
    .await;
}

/// Waits for the next frame, and demands that it is the one that was sent, padded.
async fn receive(ethernet: &mut Ethernet, address: [u8; 6], length: usize, seed: u64) {
    let received = poll_fn(|cx| match ethernet.receive(cx) {
        Some((token, _)) => Poll::Ready(token.consume(|frame| check(frame, address, length, seed))),
        None => Poll::Pending,
    });
    let received = with_timeout(LIMIT, received).await;
    received.unwrap_or_else(|_| panic!("the frame of {length} bytes is lost"));
}

fn check(frame: &mut [u8], address: [u8; 6], length: usize, seed: u64) {
    assert_eq!(frame.len(), length.max(SHORTEST));
    let mut expected = [0; 1514];
    fill(&mut expected[..length], address, seed);
    assert!(
        frame == &expected[..frame.len()],
        "the frame of {length} bytes is changed"
    );
}

/// Waits for any frame.
async fn receive_any(ethernet: &mut Ethernet) {
    poll_fn(|cx| match ethernet.receive(cx) {
        Some((token, _)) => Poll::Ready(token.consume(|_| ())),
        None => Poll::Pending,
    })
    .await;
}

/// Sends a frame once the receiver waits. Nobody looks for it again: the controller has to say that it is there.
async fn wake_by_interrupt(ethernet: &mut Ethernet, address: [u8; 6], seed: u64) {
    let mut is_sent = false;
    let received = poll_fn(|cx| {
        if let Some((token, _)) = ethernet.receive(cx) {
            return Poll::Ready(token.consume(|frame| check(frame, address, 500, seed)));
        }
        if !is_sent && let Some(token) = ethernet.transmit(cx) {
            token.consume(500, |frame| fill(frame, address, seed));
            is_sent = true;
        }
        Poll::Pending
    });
    assert!(with_timeout(LIMIT, received).await.is_ok(), "no interrupt");
}
