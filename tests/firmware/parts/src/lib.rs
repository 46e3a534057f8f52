//! Each part of tacket, used once, in a program that does nothing else.
//!
//! What a part costs is what its program has more than one without it. Nothing here is known to the compiler, so that it
//! leaves out nothing.
#![no_std]

mod uart;

use core::hint::black_box;
use core::pin::pin;
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::{Read as _, Write as _};
use futures_util::future::{join, pending};
use tacket::{
    Channel, Delimited, Foreign, Framing, Generator, LengthPrefixed, Listener, Listeners,
    MessageReceiver, MessageSender, ReceiveChannel as _, Server, Stream,
};
use tacket_embassy::EmbassyClock;

pub use uart::{Line, Lines, Uart, UartError, line};

/// A program of this future. It ends well if that is `true`.
#[macro_export]
macro_rules! image {
    ($part:expr) => {
        #[::tacket_board::entry]
        fn main() -> ! {
            ::tacket_board::run(|spawner: ::embassy_executor::Spawner| {
                spawner.spawn(image().expect("one task"));
            })
        }

        #[::embassy_executor::task]
        async fn image() {
            ::tacket_board::exit($part.await)
        }
    };
}

/// What every program has: start-up, executor and console.
pub async fn nothing() -> bool {
    black_box(true)
}

/// A deadline around a future.
pub async fn timeout() -> bool {
    let time = black_box(Duration::from_micros(1));
    tacket::timeout(&EmbassyClock::new(), time, pending::<()>())
        .await
        .is_err()
}

/// Somebody else's stream, without tacket.
pub async fn uart() -> bool {
    let mut uart = Uart;
    uart.write_all(black_box(b"hello")).await.is_ok() && uart.read(&mut [0; 8]).await.is_ok()
}

/// A stream of two foreign halves.
pub async fn staple() -> bool {
    talk(line()).await.is_ok()
}

/// Sends, receives and closes.
///
/// # Errors
///
/// Those of the stream.
pub async fn talk<S: Stream>(mut stream: S) -> Result<(), S::Error> {
    stream.send_all(black_box(b"hello")).await?;
    stream.receive_some(&mut [0; 8]).await?;
    stream.close().await
}

/// A channel with room for four values, from one future to another.
pub async fn channel() -> bool {
    let channel = Channel::<u32, 4>::new();
    let Some((tx, rx)) = channel.open() else {
        return false;
    };
    let sending = async move {
        for value in 0..black_box(9) {
            tx.send(value).await?;
        }
        Ok::<(), tacket::SendError<u32>>(())
    };
    let receiving = async move {
        let mut sum = 0;
        while let Ok(Some(value)) = rx.receive().await {
            sum += value;
        }
        sum
    };
    let (sent, sum) = join(sending, receiving).await;
    sent.is_ok() && sum == 36
}

/// The same with embassy-sync's channel, which knows no end: so the receiver counts.
pub async fn embassy_channel() -> bool {
    let channel = embassy_sync::channel::Channel::<NoopRawMutex, u32, 4>::new();
    let sending = async {
        for value in 0..black_box(9) {
            channel.send(value).await;
        }
    };
    let receiving = async {
        let mut sum = 0;
        for _value in 0..black_box(9) {
            sum += channel.receive().await;
        }
        sum
    };
    join(sending, receiving).await.1 == 36
}

/// Values that are made when they are received.
pub async fn generator() -> bool {
    let channel = Channel::<u32, 0>::new();
    let Some((tx, rx)) = channel.open() else {
        return false;
    };
    let body = pin!(async move {
        for value in 0..black_box(9) {
            if tx.send(value).await.is_err() {
                return;
            }
        }
    });
    let mut values = Generator::new(rx, body);
    let mut sum = 0;
    while let Ok(Some(value)) = values.receive().await {
        sum += value;
    }
    sum == 36
}

/// Messages with their length before them.
pub async fn length_prefixed() -> bool {
    exchange(LengthPrefixed::<2>).await
}

/// Messages with a byte between them.
pub async fn delimited() -> bool {
    exchange(Delimited(b'\n')).await
}

async fn exchange(framing: impl Framing + Copy) -> bool {
    let mut sender = MessageSender::<_, _, 64>::new(Foreign::new(Uart), framing);
    let mut receiver = MessageReceiver::<_, _, 64>::new(Foreign::new(Uart), framing);
    let sent = sender.send(black_box(b"hello")).await;
    sent.is_ok() && receiver.receive().await.is_ok()
}

/// A server with one worker.
pub async fn serve_one() -> bool {
    serve::<_, 1>(Lines(1)).await
}

/// A server with four workers.
pub async fn serve_four() -> bool {
    serve::<_, 4>(Lines(4)).await
}

/// A server of two listeners.
pub async fn listeners() -> bool {
    serve::<_, 1>(Listeners::new([Lines(1), Lines(1)])).await
}

async fn serve<L: Listener, const N: usize>(listener: L) -> bool {
    let server = Server::<_, _, _>::new(listener, EmbassyClock::new(), talk::<L::Stream>);
    let stopping = async {
        let _idle = tacket::timeout(
            &EmbassyClock::new(),
            Duration::from_millis(1),
            pending::<()>(),
        )
        .await;
        server.stop(Duration::ZERO);
    };
    join(server.run::<N>(), stopping).await.0.is_ok()
}
