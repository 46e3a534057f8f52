//! embassy-net's TCP and that of tacket-embassy, each between two stacks on a wire, in virtual time.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::time::Duration;

use embassy_net::tcp::{Error, TcpSocket};
use embedded_io_async::{ErrorType, Read, Write};
use futures_util::future::{join, try_join};
use tacket::testing::Makers;
use tacket::{
    AsyncResource, Clock as _, Foreign, ForeignError, HalfCloseable, Listener as _, SendStream,
    StapledStream,
};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{EmbassyClock, Net, NetError, Options, TcpListener, TcpStream};

use crate::card::{Card, Patience};

/// The bytes of each buffer of a socket.
const BUFFER: usize = 2048;

const PORT: u16 = 7;

const CLOCK: EmbassyClock = EmbassyClock::new();

pub(crate) fn card() -> Card {
    let card = Card::new(
        "tacket-embassy",
        "`TcpStream` of tacket-embassy",
        "As it is. Two stacks of embassy-net are joined by the wire of `tacket_embassy::testing`, in virtual time.",
    );
    let wire = Wire::new(1, Impairments::none());
    let client = wire.net::<16, BUFFER, BUFFER, 1>(Side::Left, Options::new());
    let server = wire.net::<16, BUFFER, BUFFER, 1>(Side::Right, Options::new());
    let make = async || loop {
        match pair(client, server).await {
            // Earlier connections still hold every socket: they linger.
            Err(NetError::PoolExhausted | NetError::Refused) => sleep(Duration::from_secs(1)).await,
            pair => return pair.expect("a connection"),
        }
    };
    wire.run(card.fill(&CLOCK, Patience::wire(), Makers::new(make, make)))
}

async fn pair(client: Net, server: Net) -> Result<(TcpStream, TcpStream), NetError> {
    let mut listener = TcpListener::bind(server, Side::Right.port(PORT))?;
    try_join(
        TcpStream::connect(client, Side::Right.port(PORT)),
        listener.accept(),
    )
    .await
}

async fn sleep(duration: Duration) {
    CLOCK.sleep_until(CLOCK.now() + duration).await;
}

type Stapled = StapledStream<SendHalf, Foreign<Half>>;

pub(crate) fn bare_card() -> Card {
    let card = Card::new(
        "embassy-net",
        "`TcpSocket` of embassy-net",
        "The socket lends its halves, so the two halves share it, and poll its own futures. Each is in `Foreign`, and \
         they are stapled with `StapledStream`. `send_eof` and `close` are the socket's own `close`, then its \
         `flush`. Two stacks are joined by the wire of `tacket_embassy::testing`, in virtual time.",
    );
    let wire = Wire::new(1, Impairments::none());
    let make = async || {
        let (mut left, mut right) = (socket(&wire, Side::Left), socket(&wire, Side::Right));
        let connecting = left.connect(Side::Right.port(PORT));
        let (connected, accepted) = join(connecting, right.accept(PORT)).await;
        connected.expect("a connection");
        accepted.expect("a connection");
        (staple(left), staple(right))
    };
    wire.run(card.fill(&CLOCK, Patience::wire(), Makers::new(make, make)))
}

/// A socket whose buffers stay until the program ends, as they do in firmware.
fn socket(wire: &Wire, side: Side) -> TcpSocket<'static> {
    let [receive, send] = [(); 2].map(|()| Box::leak(Box::new([0; BUFFER])));
    TcpSocket::new(wire.stack(side), receive, send)
}

fn staple(socket: TcpSocket<'static>) -> Stapled {
    let socket = Rc::new(RefCell::new(socket));
    StapledStream::new(
        SendHalf(Foreign::new(Half(Rc::clone(&socket)))),
        Foreign::new(Half(socket)),
    )
}

/// A share of a socket; the last one drops it. The futures of a socket have no state of their own, so each poll makes a new one.
struct Half(Rc<RefCell<TcpSocket<'static>>>);

impl Half {
    fn close(&self) {
        self.0.borrow_mut().close();
    }
}

impl ErrorType for Half {
    type Error = Error;
}

impl Read for Half {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|cx| pin!(self.0.borrow_mut().read(buf)).poll(cx)).await
    }
}

impl Write for Half {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Error> {
        poll_fn(|cx| pin!(self.0.borrow_mut().write(buf)).poll(cx)).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| pin!(self.0.borrow_mut().flush()).poll(cx)).await
    }
}

/// A half whose end is the socket's own `close`.
struct SendHalf(Foreign<Half>);

impl ErrorType for SendHalf {
    type Error = ForeignError<Error>;
}

impl Write for SendHalf {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.0.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush().await
    }
}

impl SendStream for SendHalf {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.0.wait_send_all_might_not_block().await
    }
}

impl HalfCloseable for SendHalf {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.0.inner().close();
        self.0.flush().await
    }
}

impl AsyncResource for SendHalf {
    async fn close(mut self) -> Result<(), Self::Error> {
        self.0.inner().close();
        self.0
            .inner_mut()
            .flush()
            .await
            .map_err(ForeignError::Inner)
    }
}
