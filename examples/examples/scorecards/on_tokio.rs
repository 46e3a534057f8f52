//! tokio's TCP, on tokio's runtime.

use core::time::Duration;
use std::io;

use embedded_io_adapters::tokio_1::FromTokio;
use futures_util::future::try_join;
use tacket::testing::Makers;
use tacket::{Clock, CloseOnEof, Foreign, StapledStream};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::card::{Card, Patience};

type Stapled = StapledStream<
    CloseOnEof<Foreign<FromTokio<OwnedWriteHalf>>>,
    Foreign<FromTokio<OwnedReadHalf>>,
>;

pub(crate) fn card() -> io::Result<Card> {
    let card = Card::new(
        "tokio",
        "`TcpStream` of tokio",
        "Its owned halves, each in the tokio adapter of embedded-io-adapters and in `Foreign`, are stapled with \
         `StapledStream`. A dropped write half ends its direction, so it is in `CloseOnEof`.",
    );
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = TokioClock(Instant::now());
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
    let (rx, tx) = stream.into_split();
    StapledStream::new(
        CloseOnEof::new(Foreign::new(FromTokio::new(tx))),
        Foreign::new(FromTokio::new(rx)),
    )
}

/// tokio's time, since a start.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, deadline: Duration) {
        tokio::time::sleep_until(self.0 + deadline).await;
    }
}
