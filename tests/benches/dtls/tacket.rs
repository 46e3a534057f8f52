//! Two endpoints on the executor of the desktop, each in a task of its own.

use core::net::{Ipv4Addr, SocketAddr};

use tacket::{AsyncResource as _, Datagram, LocalAddress as _};
use tacket_std::{MonotonicClock, UdpSocket, run, spawn};
use tacket_tests::NAME;
use tacket_tls::{DtlsChannel, DtlsEndpoint, DtlsError};

use crate::ends::{Ends, OVERHEAD};
use crate::game::{Ball, Game};
use crate::memory::MemorySocket;

/// Room for any message.
const ROOM: usize = 1500;

pub(crate) fn over_udp(ends: &Ends, game: Game) -> f64 {
    let playing = async {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sockets = [(); 2].map(|()| UdpSocket::bind(anywhere).unwrap());
        let server = sockets[1].local_addr().unwrap();
        play(ends, game, sockets, server).await
    };
    run(playing).unwrap()
}

pub(crate) fn in_memory(ends: &Ends, game: Game) -> f64 {
    let sockets = MemorySocket::pair();
    let longest = sockets[0].longest();
    let server = sockets[0].peer;
    let each = run(play(ends, game, sockets, server)).unwrap();
    assert!(game.size < ROOM / 2 || longest() == game.size + OVERHEAD);
    each
}

async fn play<D>(ends: &Ends, game: Game, sockets: [D; 2], address: SocketAddr) -> f64
where
    D: Datagram<Error: 'static> + 'static,
{
    let endpoints = sockets.map(|socket| DtlsEndpoint::new(socket, MonotonicClock::new()));
    let [client, server] = endpoints.map(Result::unwrap);
    let serving = spawn({
        let (server, config) = (server.clone(), ends.server.clone());
        async move { server.serve(&config, 16, echo).await }
    });
    let mut ball = Ball::new(game.size);
    let mut laps = game.laps();
    let connect = || client.connect(address, &ends.client, NAME).unwrap();
    if game.shakes_hands {
        for () in laps.by_ref() {
            let channel = connect();
            channel.do_handshake().await.unwrap();
            round_trip(&channel, &mut ball).await;
            channel.close().await.unwrap();
        }
    } else {
        let channel = connect();
        channel.do_handshake().await.unwrap();
        for () in laps.by_ref() {
            round_trip(&channel, &mut ball).await;
        }
        channel.close().await.unwrap();
    }
    client.close().await.unwrap();
    server.close().await.unwrap();
    serving.await.unwrap();
    laps.each()
}

async fn round_trip<D: Datagram<Error: 'static>>(channel: &DtlsChannel<D>, ball: &mut Ball) {
    channel.send(ball.next()).await.unwrap();
    let mut answer = [0; ROOM];
    let length = channel.receive(&mut answer).await.unwrap();
    ball.check(&answer[..length.unwrap()]);
}

async fn echo<D: Datagram<Error: 'static>>(
    channel: DtlsChannel<D>,
) -> Result<(), DtlsError<D::Error>> {
    let mut message = [0; ROOM];
    while let Some(length) = channel.receive(&mut message).await? {
        channel.send(&message[..length]).await?;
    }
    channel.close().await
}
