//! What every build can do over a network.

use core::convert::Infallible;
use core::net::IpAddr;
use core::pin::pin;
use core::time::Duration;

use futures_util::future::{Either, select};
use tacket::testing::{SeededExecutor, SimError, SimHost, SimNet, SimStream};
use tacket::{
    AsyncResource as _, Clock as _, ConnectOptions, ReceiveStream as _, SendStream as _,
    open_tcp_stream,
};

use super::parties::{NAME, Parties};
use crate::{OpenTlsError, TlsStream, open_tls_over_tcp_stream, serve_tls_over_tcp};

const PORT: u16 = 443;
const LIMIT: Duration = Duration::from_secs(10);

/// Runs `clients` on a host, while another one serves one client at a time with a greeting.
fn greet(parties: &Parties, clients: impl AsyncFnOnce(&SimHost)) {
    let executor = SeededExecutor::new(1);
    let net = SimNet::new(&executor);
    let [here, there] = [1, 2].map(|number| net.host(&[IpAddr::from([10, 0, 0, number])]));
    net.set_name(NAME, &[IpAddr::from([10, 0, 0, 1])]);
    let config = parties.server.clone().into();
    let handler = async |mut stream: TlsStream<SimStream>| {
        stream.send_all(b"hello").await?;
        stream.close().await
    };
    executor.run(async {
        let serving =
            serve_tls_over_tcp::<1, _, _>(&here, PORT, &config, LIMIT, handler, (), |_| ());
        match select(pin!(serving), pin!(clients(&there))).await {
            Either::Left((ended, _)) => panic!("{:?}", why(ended)),
            Either::Right(((), _)) => {}
        }
    });
}

fn why(ended: Result<Infallible, OpenTlsError<SimError>>) -> OpenTlsError<SimError> {
    match ended {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn ask(host: &SimHost, parties: &Parties) {
    let config = parties.client.clone().into();
    let opening = open_tls_over_tcp_stream(host, NAME, PORT, ConnectOptions::new(), &config);
    let mut stream = opening.await.expect("it listens");
    let mut buf = [0; 8];
    assert_eq!(stream.receive_some(&mut buf).await, Ok(5));
    stream.close().await.expect("closes");
}

pub(super) fn client_and_server() {
    let parties = Parties::new();
    greet(&parties, async |host| {
        ask(host, &parties).await;
        ask(host, &parties).await;
        assert!(host.now() < LIMIT, "nobody was silent");
    });
}

pub(super) fn limit_of_handshakes() {
    let parties = Parties::new();
    greet(&parties, async |host| {
        let silent = open_tcp_stream(host, NAME, PORT, ConnectOptions::new());
        let _silent = silent.await.expect("it listens");
        ask(host, &parties).await;
        // The silent one had its time, and no more.
        assert!((LIMIT..2 * LIMIT).contains(&host.now()));
    });
}
