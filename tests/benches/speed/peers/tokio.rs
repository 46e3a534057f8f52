//! tokio: a spawned task for each connection.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::{ANYWHERE, Peer, Ready, byte};
use crate::layer::tokio::{self as layer, Stream};
use crate::plan::BUFFER;
use crate::speed::game::{Arrivals, Asker, BALL, Pieces};

#[derive(Debug)]
pub(crate) struct Tokio {
    runtime: Runtime,
}

impl Tokio {
    pub(crate) fn current_thread() -> Self {
        Self::new(Builder::new_current_thread())
    }

    pub(crate) fn new(mut builder: Builder) -> Self {
        Self {
            runtime: builder.enable_io().build().unwrap(),
        }
    }

    /// Runs `task` as a task, not as the future of `block_on`, which on two workers would have a thread of its own.
    fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime
            .block_on(async { tokio::spawn(task).await })
            .unwrap()
    }

    fn listen(&self) -> (TcpListener, SocketAddr) {
        let listener = self.runtime.block_on(TcpListener::bind(ANYWHERE)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }
}

async fn connect(server: SocketAddr) -> Stream {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    layer::connect(stream).await
}

/// Without what the layer does to begin with.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn ask(server: SocketAddr, mut asker: Asker) -> Asker {
    let mut stream = connect(server).await;
    let mut answer = [0; BALL];
    while let Some(question) = asker.question() {
        stream.write_all(&question).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        asker.answered(&answer);
    }
    layer::end(stream).await.unwrap();
    asker
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut stream = layer::accept(stream).await?;
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.read(&mut buf).await? {
            0 => return layer::end(stream).await,
            count => {
                stream.write_all(&buf[..count]).await?;
                stream.flush().await?;
            }
        }
    }
}

async fn send(receiver: SocketAddr, mut pieces: Pieces) {
    let mut stream = connect(receiver).await;
    while let Some(piece) = pieces.next() {
        stream.write_all(piece).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

async fn receive(listener: TcpListener, mut arrivals: Arrivals) -> Arrivals {
    let mut stream = layer::accept(accept(&listener).await).await.unwrap();
    let mut buf = vec![0; Arrivals::BUFFER];
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => break,
            count => arrivals.add(&buf[..count]),
        }
    }
    layer::end(stream).await.unwrap();
    arrivals
}

async fn serve(listener: TcpListener) {
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(echo(stream));
    }
}

impl Peer for Tokio {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let (listener, address) = self.listen();
        self.run(async move {
            let answering = tokio::spawn(async move { echo(accept(&listener).await).await });
            let asker = tokio::spawn(ask(address, asker)).await.unwrap();
            answering.await.unwrap().unwrap();
            asker
        })
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        self.run(ask(server, asker))
    }

    fn answer(&self, ready: Ready) {
        let (listener, address) = self.listen();
        ready(address);
        self.run(async move { echo(accept(&listener).await).await })
            .unwrap();
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = self.listen();
        self.run(async move {
            let receiving = tokio::spawn(receive(listener, arrivals));
            tokio::spawn(send(address, pieces)).await.unwrap();
            receiving.await.unwrap()
        })
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        self.run(send(receiver, pieces));
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = self.listen();
        ready(address);
        self.run(receive(listener, arrivals))
    }

    fn serve(&self, ready: Ready) {
        let (listener, address) = self.listen();
        ready(address);
        self.run(serve(listener));
    }

    fn short(&self, count: u64) {
        let (listener, address) = self.listen();
        self.run(async move {
            let serving = tokio::spawn(serve(listener));
            let connecting = tokio::spawn(async move {
                for number in 0..count {
                    let mut stream = connect(address).await;
                    stream.write_all(&byte(number)).await.unwrap();
                    stream.flush().await.unwrap();
                    let mut answer = [0];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, byte(number));
                    layer::end(stream).await.unwrap();
                }
            });
            connecting.await.unwrap();
            serving.abort();
        });
    }
}
