//! This backend: a task at the root for each connection.
//!
//! A receive has room for more than it expects, so that one that comes short says that the socket is empty. A server of many shares
//! one buffer among them, as the documentation of `try_receive_some` does.

use alloc::rc::Rc;
use core::cell::RefCell;
use core::net::SocketAddr;

use socket2::SockRef;

use tacket::{AsyncResource as _, Listener as _, LocalAddress as _, ReceiveStream as _};
use tacket::{HalfCloseable as _, SendStream as _};
use tacket_std::{IoError, TcpListener, TcpStream, run, spawn};

use super::{ANYWHERE, BUFFER, Peer, Ready, byte};
use crate::game::{Arrivals, Asker, BALL, Pieces};

#[derive(Debug)]
pub(super) struct Tacket {
    ends: Ends,
}

impl Tacket {
    pub(super) const fn new(notsent_lowat: Option<u32>) -> Self {
        Self {
            ends: Ends { notsent_lowat },
        }
    }
}

/// What each end does, as a task.
#[derive(Clone, Copy, Debug)]
struct Ends {
    notsent_lowat: Option<u32>,
}

impl Ends {
    async fn connect(self, server: SocketAddr) -> TcpStream {
        self.tuned(TcpStream::connect(server).await.unwrap())
    }

    async fn accept(self, listener: &mut TcpListener) -> TcpStream {
        self.tuned(listener.accept().await.unwrap())
    }

    /// With the limit that was asked for, if one was.
    fn tuned(self, stream: TcpStream) -> TcpStream {
        if let Some(bytes) = self.notsent_lowat {
            SockRef::from(&stream).set_tcp_notsent_lowat(bytes).unwrap();
        }
        stream
    }

    async fn ask(self, server: SocketAddr, mut asker: Asker) -> Asker {
        let mut stream = self.connect(server).await;
        let mut answer = [0; 4 * BALL];
        while let Some(question) = asker.question() {
            stream.send_all(&question).await.unwrap();
            let mut filled = 0;
            while filled < BALL {
                let count = stream.receive_some(&mut answer[filled..]).await.unwrap();
                assert_ne!(count, 0, "the server is gone");
                filled += count;
            }
            asker.answered(answer[..BALL].try_into().unwrap());
        }
        stream.close().await.unwrap();
        asker
    }

    async fn answer(self, mut listener: TcpListener) {
        echo(self.accept(&mut listener).await).await.unwrap();
    }

    async fn send(self, receiver: SocketAddr, mut pieces: Pieces) {
        let mut stream = self.connect(receiver).await;
        while let Some(piece) = pieces.next() {
            stream.send_all(piece).await.unwrap();
        }
        stream.send_eof().await.unwrap();
        assert_eq!(stream.receive_some(&mut [0]).await.unwrap(), 0);
        stream.close().await.unwrap();
    }

    async fn receive(self, mut listener: TcpListener, mut arrivals: Arrivals) -> Arrivals {
        let mut stream = self.accept(&mut listener).await;
        let mut buf = vec![0; Arrivals::BUFFER];
        loop {
            match stream.receive_some(&mut buf).await.unwrap() {
                0 => break,
                count => arrivals.add(&buf[..count]),
            }
        }
        stream.close().await.unwrap();
        arrivals
    }

    /// Serves many, which share a buffer.
    async fn serve(self, mut listener: TcpListener) {
        let buf = Rc::new(RefCell::new(vec![0; BUFFER]));
        loop {
            let stream = self.accept(&mut listener).await;
            spawn(echo_by(stream, Rc::clone(&buf)));
        }
    }

    /// Serves few at a time, each with its own buffer.
    async fn serve_few(self, mut listener: TcpListener) {
        loop {
            spawn(echo(self.accept(&mut listener).await));
        }
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(ANYWHERE).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn echo(mut stream: TcpStream) -> Result<(), IoError> {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.receive_some(&mut buf).await? {
            0 => return stream.close().await,
            count => stream.send_all(&buf[..count]).await?,
        }
    }
}

/// Sends back what comes, through a buffer that it has only while something is there.
async fn echo_by(mut stream: TcpStream, buf: Rc<RefCell<Vec<u8>>>) -> Result<(), IoError> {
    loop {
        stream.wait_receive_some_might_not_block().await?;
        let echoed = echo_once(&mut stream, &mut buf.borrow_mut())?;
        let unsent = match echoed {
            Echoed::All => continue,
            Echoed::Part(unsent) => unsent,
            Echoed::End => return stream.close().await,
        };
        stream.send_all(&unsent).await?;
    }
}

enum Echoed {
    All,
    /// The socket had no room for this.
    Part(Vec<u8>),
    End,
}

fn echo_once(stream: &mut TcpStream, buf: &mut [u8]) -> Result<Echoed, IoError> {
    let count = match stream.try_receive_some(buf)? {
        None => return Ok(Echoed::All),
        Some(0) => return Ok(Echoed::End),
        Some(count) => count,
    };
    let sent = stream.try_send_some(&buf[..count])?.unwrap_or(0);
    Ok(match sent == count {
        true => Echoed::All,
        false => Echoed::Part(buf[sent..count].to_vec()),
    })
}

impl Peer for Tacket {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let (listener, address) = listen();
        run(async {
            let answering = spawn(self.ends.answer(listener));
            let asker = spawn(self.ends.ask(address, asker)).await;
            answering.await;
            asker
        })
        .unwrap()
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        run(async { spawn(self.ends.ask(server, asker)).await }).unwrap()
    }

    fn answer(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        run(async { spawn(self.ends.answer(listener)).await }).unwrap();
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        run(async {
            let receiving = spawn(self.ends.receive(listener, arrivals));
            spawn(self.ends.send(address, pieces)).await;
            receiving.await
        })
        .unwrap()
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        run(async { spawn(self.ends.send(receiver, pieces)).await }).unwrap();
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        ready(address);
        run(async { spawn(self.ends.receive(listener, arrivals)).await }).unwrap()
    }

    fn serve(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        run(self.ends.serve(listener)).unwrap();
    }

    fn short(&self, count: u64) {
        let ends = self.ends;
        let (listener, address) = listen();
        run(async {
            let serving = spawn(ends.serve_few(listener));
            let connecting = spawn(async move {
                for number in 0..count {
                    let mut stream = ends.connect(address).await;
                    stream.send_all(&byte(number)).await.unwrap();
                    let mut answer = [0; 2];
                    assert_eq!(stream.receive_some(&mut answer).await.unwrap(), 1);
                    assert_eq!(answer[..1], byte(number));
                    stream.close().await.unwrap();
                }
            });
            connecting.await;
            serving.cancel();
        })
        .unwrap();
    }
}
