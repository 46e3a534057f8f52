//! smol's TCP, on smol's reactor.

use core::time::Duration;
use std::io;
use std::net::Shutdown;
use std::time::Instant;

use async_io::Timer;
use async_net::{TcpListener, TcpStream};
use embedded_io_adapters::futures_03::FromFutures;
use embedded_io_async::{ErrorType, Write};
use futures_util::future::try_join;
use tacket::testing::Makers;
use tacket::{Clock, CloseOnEof, Foreign, StapledStream};

use crate::card::{Card, Patience};

type Stapled = StapledStream<CloseOnEof<Foreign<SendHalf>>, Foreign<FromFutures<TcpStream>>>;

pub(crate) fn card() -> io::Result<Card> {
    let card = Card::new(
        "smol",
        "`TcpStream` of smol (async-net)",
        "Two clones, each in the futures adapter of embedded-io-adapters and in `Foreign`, are stapled with \
         `StapledStream`. A clone ends nothing when it is dropped, so the one that sends shuts its direction down \
         then, and is in `CloseOnEof`.",
    );
    async_io::block_on(async {
        let clock = SmolClock(Instant::now());
        let make = async || pair().await.expect("a connection on loopback");
        Ok(card
            .fill(&clock, Patience::system(), Makers::new(make, make))
            .await)
    })
}

async fn pair() -> io::Result<(Stapled, Stapled)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let (left, (right, _)) = try_join(TcpStream::connect(address), listener.accept()).await?;
    Ok((staple(left), staple(right)))
}

fn staple(stream: TcpStream) -> Stapled {
    let tx = SendHalf(FromFutures::new(stream.clone()));
    StapledStream::new(
        CloseOnEof::new(Foreign::new(tx)),
        Foreign::new(FromFutures::new(stream)),
    )
}

/// A clone that ends its direction when it is dropped, as tokio's write half does.
struct SendHalf(FromFutures<TcpStream>);

impl Drop for SendHalf {
    fn drop(&mut self) {
        // It fails where the peer is gone, and then there is nothing left to end.
        let _: io::Result<()> = self.0.inner().shutdown(Shutdown::Write);
    }
}

impl ErrorType for SendHalf {
    type Error = io::Error;
}

impl Write for SendHalf {
    async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}

/// smol's time, since a start.
struct SmolClock(Instant);

impl Clock for SmolClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, deadline: Duration) {
        Timer::at(self.0 + deadline).await;
    }
}
