//! The TCP of tacket-std, on its own event loop.

use std::io;

use futures_util::future::try_join;
use tacket::testing::Makers;
use tacket::{Listener as _, LocalAddress as _};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};

use crate::card::{Card, Patience};

pub(crate) fn card() -> io::Result<Card> {
    let card = Card::new("tacket-std", "`TcpStream` of tacket-std", "As it is.");
    let clock = MonotonicClock::new();
    let make = async || pair().await.expect("a connection on loopback");
    tacket_std::run(card.fill(&clock, Patience::system(), Makers::new(make, make)))
        .map_err(io::Error::other)
}

async fn pair() -> Result<(TcpStream, TcpStream), IoError> {
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    let address = listener.local_addr()?;
    try_join(TcpStream::connect(address), listener.accept()).await
}
