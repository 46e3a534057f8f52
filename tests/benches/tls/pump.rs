//! `TlsStream` between a caller and transports that cost nothing but the copy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use embedded_io_async::{ErrorType, Read, Write};
use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryPipe, MemoryReceiveStream, MemorySendStream};
use tacket::{HalfCloseable, ReceiveStream, SendStream, StapledStream};
use tacket_tests::NAME;
use tacket_tls::TlsStream;

use crate::{BATCH, Contender, Ends, PIECE, time};

type Pipe = MemoryPipe<Vec<u8>>;
type Stream = TlsStream<StapledStream<Drain, Source>>;

pub(crate) struct Pump {
    client: Stream,
    server: Stream,
    /// What the server has sealed and the client has not opened.
    sealed: Rc<RefCell<Sealed>>,
    client_drain: Rc<Cell<Way>>,
    server_drain: Rc<Cell<Way>>,
    piece: Vec<u8>,
}

#[derive(Default)]
struct Sealed {
    bytes: Vec<u8>,
    read: usize,
}

/// Where sent bytes go.
#[derive(Clone, Copy)]
enum Way {
    Pipe,
    Nowhere,
    Batch,
}

impl Pump {
    pub(crate) fn new(ends: &Ends) -> Self {
        let pipe = || -> &'static Pipe { Box::leak(Box::new(MemoryPipe::new(vec![0; 1 << 16]))) };
        let (client_tx, server_rx) = pipe().open().unwrap();
        let (server_tx, client_rx) = pipe().open().unwrap();
        let sealed = Rc::new(RefCell::new(Sealed::default()));
        let way = || Rc::new(Cell::new(Way::Pipe));
        let (client_drain, server_drain) = (way(), way());
        let stream = |tx, rx, way: &Rc<_>| {
            let drain = Drain {
                pipe: tx,
                way: Rc::clone(way),
                sealed: Rc::clone(&sealed),
            };
            let source = Source {
                pipe: rx,
                way: Rc::clone(way),
                sealed: Rc::clone(&sealed),
            };
            StapledStream::new(drain, source)
        };
        let client = stream(client_tx, client_rx, &client_drain);
        let server = stream(server_tx, server_rx, &server_drain);
        let client = TlsStream::client(client, &ends.client.clone().into(), NAME);
        let server = TlsStream::server(server, &ends.server.clone().into());
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        let (connected, accepted) =
            futures_executor::block_on(join(client.do_handshake(), server.do_handshake()));
        connected.unwrap();
        accepted.unwrap();
        client_drain.set(Way::Nowhere);
        server_drain.set(Way::Batch);
        Self {
            client,
            server,
            sealed,
            client_drain,
            server_drain,
            piece: vec![1; PIECE],
        }
    }
}

impl Contender for Pump {
    fn seal(&mut self, pieces: usize) -> Duration {
        self.client_drain.set(Way::Nowhere);
        time(|| {
            for _ in 0..pieces {
                let sending = self.client.send_all(&self.piece);
                sending.now_or_never().unwrap().unwrap();
            }
        })
    }

    fn open(&mut self, pieces: usize) -> Duration {
        self.server_drain.set(Way::Batch);
        let mut taken = Duration::ZERO;
        let mut left = pieces;
        while left > 0 {
            let now = left.min(BATCH / PIECE);
            *self.sealed.borrow_mut() = Sealed::default();
            for _ in 0..now {
                let sending = self.server.send_all(&self.piece);
                sending.now_or_never().unwrap().unwrap();
            }
            taken += time(|| {
                let mut total = 0;
                while total < now * PIECE {
                    let receiving = self.client.receive_some(&mut self.piece);
                    total += receiving.now_or_never().unwrap().unwrap();
                }
            });
            left -= now;
        }
        taken
    }
}

/// Takes everything at once, once the handshake is over.
struct Drain {
    pipe: MemorySendStream<'static, Vec<u8>>,
    way: Rc<Cell<Way>>,
    sealed: Rc<RefCell<Sealed>>,
}

impl ErrorType for Drain {
    type Error = MemoryError;
}

impl Write for Drain {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        match self.way.get() {
            Way::Pipe => return self.pipe.write(buf).await,
            Way::Nowhere => {}
            Way::Batch => self.sealed.borrow_mut().bytes.extend_from_slice(buf),
        }
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl SendStream for Drain {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl HalfCloseable for Drain {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        self.pipe.send_eof().await
    }
}

/// Gives what the server has sealed, once the handshake is over.
struct Source {
    pipe: MemoryReceiveStream<'static, Vec<u8>>,
    way: Rc<Cell<Way>>,
    sealed: Rc<RefCell<Sealed>>,
}

impl ErrorType for Source {
    type Error = MemoryError;
}

impl Read for Source {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if matches!(self.way.get(), Way::Pipe) {
            return self.pipe.read(buf).await;
        }
        let sealed = &mut *self.sealed.borrow_mut();
        let rest = &sealed.bytes[sealed.read..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        sealed.read += count;
        Ok(count)
    }
}

impl ReceiveStream for Source {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.read(buf).await
    }
}
