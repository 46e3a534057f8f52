//! The standard library: calls that block, and a thread for each connection.

use core::net::SocketAddr;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::plan::BUFFER;
use crate::speed::game::{Arrivals, Asker, BALL, Pieces};
use crate::speed::peers::{ANYWHERE, Peer, Ready, byte};

#[derive(Debug)]
pub(crate) struct Threads;

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(ANYWHERE).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn ask(server: SocketAddr, mut asker: Asker) -> Asker {
    let mut stream = connect(server);
    let mut answer = [0; BALL];
    while let Some(question) = asker.question() {
        stream.write_all(&question).unwrap();
        stream.read_exact(&mut answer).unwrap();
        asker.answered(&answer);
    }
    asker
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            count => stream.write_all(&buf[..count])?,
        }
    }
}

fn send(receiver: SocketAddr, mut pieces: Pieces) {
    let mut stream = connect(receiver);
    while let Some(piece) = pieces.next() {
        stream.write_all(piece).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

fn receive(listener: &TcpListener, mut arrivals: Arrivals) -> Arrivals {
    let mut stream = accept(listener);
    let mut buf = vec![0; Arrivals::BUFFER];
    loop {
        match stream.read(&mut buf).unwrap() {
            0 => return arrivals,
            count => arrivals.add(&buf[..count]),
        }
    }
}

impl Peer for Threads {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let (listener, address) = listen();
        let answering = thread::spawn(move || echo(accept(&listener)));
        let asker = ask(address, asker);
        answering.join().unwrap().unwrap();
        asker
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        ask(server, asker)
    }

    fn answer(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        echo(accept(&listener)).unwrap();
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        let receiving = thread::spawn(move || receive(&listener, arrivals));
        send(address, pieces);
        receiving.join().unwrap()
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        send(receiver, pieces);
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let (listener, address) = listen();
        ready(address);
        receive(&listener, arrivals)
    }

    fn serve(&self, ready: Ready) {
        let (listener, address) = listen();
        ready(address);
        loop {
            let stream = accept(&listener);
            thread::spawn(|| echo(stream));
        }
    }

    fn short(&self, count: u64) {
        let (listener, address) = listen();
        let serving = thread::spawn(move || {
            for _ in 0..count {
                let stream = accept(&listener);
                thread::spawn(|| echo(stream));
            }
        });
        for number in 0..count {
            let mut stream = connect(address);
            stream.write_all(&byte(number)).unwrap();
            let mut answer = [0];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, byte(number));
        }
        serving.join().unwrap();
    }
}
