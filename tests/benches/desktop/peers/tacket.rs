//! This backend: a task at the root for each connection.
//!
//! A receive has room for more than it expects, so that one that comes short says that the socket is empty.

use core::net::SocketAddr;

use tacket::{AsyncResource as _, Listener as _, LocalAddress as _, ReceiveStream as _};
use tacket::{HalfCloseable as _, SendStream as _};
use tacket_std::{TcpListener, TcpStream, run, spawn};

use super::{ANYWHERE, Peer, Ready, byte};
use crate::game::{Arrivals, Asker, BALL, Pieces};

/// What the README's server has for each of its clients.
const BUFFER: usize = 512;

#[derive(Debug)]
pub(super) struct Tacket {
    notsent_lowat: Option<u32>,
}

impl Tacket {
    pub(super) const fn new(notsent_lowat: Option<u32>) -> Self {
        Self { notsent_lowat }
    }

    fn listen(&self) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANYWHERE).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }
}

async fn ask(server: SocketAddr, mut asker: Asker) -> Asker {
    let mut stream = TcpStream::connect(server).await.unwrap();
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

async fn echo(mut stream: TcpStream) {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.receive_some(&mut buf).await {
            Ok(count @ 1..) => stream.send_all(&buf[..count]).await.unwrap(),
            Ok(0) => return stream.close().await.unwrap(),
            Err(_) => return, // the client is gone
        }
    }
}

async fn send(receiver: SocketAddr, mut pieces: Pieces) {
    let mut stream = TcpStream::connect(receiver).await.unwrap();
    while let Some(piece) = pieces.next() {
        stream.send_all(piece).await.unwrap();
    }
    stream.send_eof().await.unwrap();
    assert_eq!(stream.receive_some(&mut [0]).await.unwrap(), 0);
    stream.close().await.unwrap();
}

async fn receive(mut listener: TcpListener, mut arrivals: Arrivals) -> Arrivals {
    let mut stream = listener.accept().await.unwrap();
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

async fn serve(mut listener: TcpListener) {
    loop {
        let stream = listener.accept().await.unwrap();
        spawn(echo(stream));
    }
}

impl Peer for Tacket {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let (mut listener, address) = self.listen();
        run(async {
            let answering = spawn(async move { echo(listener.accept().await.unwrap()).await });
            let asker = spawn(ask(address, asker)).await;
            answering.await;
            asker
        })
        .unwrap()
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        run(async { spawn(ask(server, asker)).await }).unwrap()
    }

    fn answer(&self, ready: Ready) {
        let (mut listener, address) = self.listen();
        ready(address);
        run(async { spawn(async move { echo(listener.accept().await.unwrap()).await }).await })
            .unwrap();
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = self.listen();
        run(async {
            let receiving = spawn(receive(listener, arrivals));
            spawn(send(address, pieces)).await;
            receiving.await
        })
        .unwrap()
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        run(async { spawn(send(receiver, pieces)).await }).unwrap();
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = self.listen();
        ready(address);
        run(async { spawn(receive(listener, arrivals)).await }).unwrap()
    }

    fn serve(&self, ready: Ready) {
        let (listener, address) = self.listen();
        ready(address);
        run(serve(listener)).unwrap();
    }

    fn short(&self, count: u64) {
        let (listener, address) = self.listen();
        run(async {
            let serving = spawn(serve(listener));
            let connecting = spawn(async move {
                for number in 0..count {
                    let mut stream = TcpStream::connect(address).await.unwrap();
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
