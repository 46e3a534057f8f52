//! This backend: a task at the root for each connection.
//!
//! A receive has room for more than it expects, so that one that comes short says that the socket is empty.

use core::net::SocketAddr;

use tacket::{AsyncResource as _, Listener as _, LocalAddress as _, ReceiveStream as _};
use tacket::{HalfCloseable as _, SendStream as _};
use tacket_std::{TcpListener, TcpStream, run, spawn};

use super::{ANYWHERE, Peer, Ready, byte};
use crate::layer::tacket::{self as layer, Error, Stream};
use crate::plan::{BUFFER, Setting};
use crate::speed::game::{Arrivals, Asker, BALL, Pieces};

#[derive(Debug)]
pub(crate) struct Tacket {
    ends: Ends,
}

impl Tacket {
    pub(crate) const fn new(setting: Setting) -> Self {
        Self {
            ends: Ends { setting },
        }
    }
}

/// What each end does, as a task.
#[derive(Clone, Copy, Debug)]
struct Ends {
    setting: Setting,
}

impl Ends {
    async fn connect(self, server: SocketAddr) -> Stream {
        layer::connect(TcpStream::connect(server).await.unwrap(), self.setting).await
    }

    async fn accept(self, listener: &mut TcpListener) -> Stream {
        layer::accept(listener.accept().await.unwrap(), self.setting)
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

    async fn serve(self, mut listener: TcpListener) {
        let crowd = layer::Crowd::default();
        loop {
            let stream = self.accept(&mut listener).await;
            spawn(crowd.clone().echo(stream));
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

pub(crate) async fn echo(mut stream: Stream) -> Result<(), Error> {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.receive_some(&mut buf).await? {
            0 => return stream.close().await,
            count => stream.send_all(&buf[..count]).await?,
        }
    }
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
