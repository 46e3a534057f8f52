//! smol: a task for each connection on a local executor.

use alloc::rc::Rc;
use core::net::SocketAddr;
use std::io;

use smol::LocalExecutor;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{TcpListener, TcpStream};

use super::{ANYWHERE, Peer, Ready, byte};
use crate::layer::smol::{self as layer, Stream};
use crate::plan::BUFFER;
use crate::speed::game::{Arrivals, Asker, BALL, Pieces};

#[derive(Debug)]
pub(crate) struct Smol;

/// Runs `task` as a task, not as the future of `run`.
fn run<T: 'static>(task: impl Future<Output = T> + 'static) -> T {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(executor.spawn(task)))
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = smol::block_on(TcpListener::bind(ANYWHERE)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
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
    stream.close().await.unwrap(); // ends the sending direction
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

async fn serve(executor: Rc<LocalExecutor<'static>>, listener: TcpListener) {
    loop {
        let stream = accept(&listener).await;
        executor.spawn(echo(stream)).detach();
    }
}

impl Peer for Smol {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let (listener, address) = listen();
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(async {
            let answering = executor.spawn(async { echo(accept(&listener).await).await });
            let asker = executor.spawn(ask(address, asker)).await;
            answering.await.unwrap();
            asker
        }))
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        run(ask(server, asker))
    }

    fn answer(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        run(async move { echo(accept(&listener).await).await }).unwrap();
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(async {
            let receiving = executor.spawn(receive(listener, arrivals));
            executor.spawn(send(address, pieces)).await;
            receiving.await
        }))
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        run(send(receiver, pieces));
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        ready(address);
        run(receive(listener, arrivals))
    }

    fn serve(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        let executor = Rc::new(LocalExecutor::new());
        let serving = executor.spawn(serve(Rc::clone(&executor), listener));
        smol::block_on(executor.run(serving));
    }

    fn short(&self, count: u64) {
        let (listener, address) = listen();
        let executor = Rc::new(LocalExecutor::new());
        smol::block_on(executor.run(async {
            let serving = executor.spawn(serve(Rc::clone(&executor), listener));
            let connecting = executor.spawn(async move {
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
            connecting.await;
            serving.cancel().await;
        }));
    }
}
