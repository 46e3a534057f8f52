//! Listeners, and opening connections.

use futures_util::future::{join, try_join};
use tacket::testing::{DropPoint, connect_to_listener};
use tacket::{
    AsyncResource as _, ConnectOptions, Error as _, Fault, HalfCloseable as _, Listener as _,
    LocalAddress as _, Network, ReceiveStream as _, SendStream as _, Server, open_tcp_listeners,
};
use tacket_tests::Authority;
use tacket_tls::rustls::{CertificateError, Error as Rustls};
use tacket_tls::{
    ClientConfig, ConfigError, EngineError, NeedHandshake, OpenTlsError, ServerConfig, TlsError,
    TlsListener, TlsStream, open_tls_over_tcp_listeners, open_tls_over_tcp_stream,
};

use super::super::shake_hands;
use super::{Ends, on_all, on_embassy, on_sim, on_std, port};

/// Covers SSH-01.
#[test]
fn a_client_that_says_nothing_holds_up_no_other() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let (mut listener, address) = ends.listener(&proving).await;
        let silent = ends.client.connect(address).await.expect("it listens");
        let first = listener.accept().await.expect("room");
        assert_eq!(first.negotiated().err(), Some(NeedHandshake));
        let mut client = ends.connect(address, &trusting).await;
        let mut second = listener.accept().await.expect("room");
        shake_hands(&mut client, &mut second).await;
        assert_eq!(first.negotiated().err(), Some(NeedHandshake));
        drop(silent);
    }
    on_all!(claim);
}

/// Covers SSH-02.
#[test]
fn a_closed_tls_listener_listens_no_more() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let (mut listener, address) = ends.listener(&proving).await;
        let mut client = ends.connect(address, &trusting).await;
        let mut accepted = listener.accept().await.expect("room");
        listener.close().await.expect("closes");
        let refused = ends.client.connect(address).await;
        assert_eq!(refused.err().map(|e| e.fault()), Some(Fault::Broken));
        // Who was accepted before goes on.
        shake_hands(&mut client, &mut accepted).await;
    }
    on_all!(claim);
}

/// Covers SSH-03.
#[test]
fn streams_are_https_compatible_where_their_listener_is() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        for https_compatible in [false, true] {
            let (mut listener, address) = ends.listener(&proving).await;
            if https_compatible {
                listener = listener.https_compatible();
            }
            let client = ends.connect(address, &trusting).await;
            let mut client = client.https_compatible();
            let mut accepted = listener.accept().await.expect("room");
            shake_hands(&mut client, &mut accepted).await;
            client.close().await.expect("closes");
            let received = accepted.receive_some(&mut [0]).await;
            if https_compatible {
                assert_eq!(received.expect("the end"), 0);
            } else {
                assert!(matches!(received, Err(TlsError::Truncated)), "{received:?}");
            }
        }
    }
    on_all!(claim);
}

#[test]
fn a_dropped_accept_loses_no_client() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let (mut listener, address) = ends.listener(&proving).await;
        let mut clients = Vec::new();
        let mut accepted = Vec::new();
        for polls in 1..4 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                clients.push(ends.connect(address, &trusting).await);
                if let Some(stream) = point.cut(listener.accept()).await {
                    accepted.push(stream.expect("room"));
                }
            }
        }
        while accepted.len() < clients.len() {
            accepted.push(listener.accept().await.expect("room"));
        }
        for (client, accepted) in clients.iter_mut().zip(&mut accepted) {
            shake_hands(client, accepted).await;
        }
    }
    on_all!(claim);
}

/// What a client says of a handshake with a server that proves itself by `proving`.
async fn meet<N: Network>(
    ends: &Ends<N>,
    trusting: &ClientConfig,
    proving: &ServerConfig,
) -> Result<(), EngineError> {
    let listeners = open_tls_over_tcp_listeners(&ends.server, 0, proving).await;
    let mut listeners = listeners.expect("free ports");
    let (port, options) = (port(&listeners), ConnectOptions::new());
    let opening = open_tls_over_tcp_stream(&ends.client, &ends.host, port, options, trusting);
    let talking = async {
        let mut stream = opening.await.expect("it listens");
        assert_eq!(stream.negotiated().err(), Some(NeedHandshake));
        match stream.do_handshake().await {
            Ok(()) => stream.send_eof().await.expect("ends"),
            Err(TlsError::Engine(error)) => {
                assert_eq!(
                    stream.do_handshake().await.expect_err("sticky").fault(),
                    Fault::Broken
                );
                return Err(error);
            }
            Err(other) => panic!("{other:?}"),
        }
        stream.close().await.expect("closes");
        Ok(())
    };
    let answering = async {
        let mut stream = listeners.accept().await.expect("room");
        stream.receive_some(&mut [0]).await.is_ok()
    };
    let (talked, answered) = join(talking, answering).await;
    assert_eq!(talked.is_ok(), answered);
    talked
}

/// Covers SSH-05.
#[test]
fn a_client_checks_the_host_that_it_connects_to() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let authority = Authority::new();
        let trusting = authority.client_config();
        let right = authority.server_config_for(&[&ends.host], |_| {});
        meet(ends, &trusting, &right).await.expect("the right name");
        let wrong = authority.server_config_for(&["other.example"], |_| {});
        let refused = meet(ends, &trusting, &wrong).await;
        let Err(EngineError::Rustls(Rustls::InvalidCertificate(reason))) = refused else {
            panic!("{refused:?}")
        };
        let is_about_names = matches!(reason, CertificateError::NotValidForNameContext { .. });
        assert!(is_about_names, "{reason:?}");
        let refused = meet(ends, &Authority::new().client_config(), &right).await;
        let unknown = CertificateError::UnknownIssuer;
        assert_eq!(refused, Err(Rustls::InvalidCertificate(unknown).into()));
    }
    on_all!(claim);
}

#[test]
fn what_can_never_work_is_refused_before_anything_is_sent() {
    async fn claim<N: Network<Error: 'static>>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        // Nobody listens there: that is not what it says.
        let opening = |host: &'static str, config: ClientConfig| async move {
            let options = ConnectOptions::new();
            let opened = open_tls_over_tcp_stream(&ends.client, host, 1, options, &config).await;
            opened.err().expect("refused")
        };
        let refused = opening("no name", trusting.clone()).await;
        assert!(matches!(
            refused,
            OpenTlsError::Config(ConfigError::InvalidName)
        ));
        assert_eq!(refused.fault(), Fault::InvalidInput);
        let refused = opening("server.example", trusting.with_alpn(&[b""])).await;
        let bad = ConfigError::InvalidProtocol;
        assert!(matches!(refused, OpenTlsError::Config(error) if error == bad));
        let proving = proving.with_alpn(&[b""]);
        let refused = open_tls_over_tcp_listeners(&ends.server, 0, &proving).await;
        assert!(matches!(refused, Err(OpenTlsError::Config(error)) if error == bad));
        assert_eq!(TlsListener::new((), &proving).err(), Some(bad));
    }
    on_all!(claim);
}

#[test]
fn a_host_that_nobody_answers_for_is_the_networks_failure() {
    async fn claim<N: Network<Error: 'static>>(ends: &Ends<N>) {
        let (trusting, _) = ends.parties();
        let options = ConnectOptions::new();
        let opened =
            open_tls_over_tcp_stream(&ends.client, &ends.host, 1, options, &trusting).await;
        let refused = opened.err().expect("nobody listens");
        assert_eq!(refused.fault(), Fault::Broken);
        let OpenTlsError::Transport(error) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(error.attempts().count(), 1);
    }
    on_all!(claim);
}

/// Covers SSH-06.
#[test]
fn every_listener_of_a_port_speaks_tls() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let plain = open_tcp_listeners(&ends.server, 0).await.expect("ports");
        let listeners = open_tls_over_tcp_listeners(&ends.server, 0, &proving).await;
        let mut listeners = listeners.expect("ports").map(TlsListener::https_compatible);
        assert_eq!(listeners.each().count(), plain.each().count());
        let addresses: Vec<_> = listeners.each().map(|one| one.local_addr()).collect();
        let mut spoken_to = 0;
        for address in addresses {
            let address = address.expect("an address");
            let host = ends.address().await;
            if host.is_ipv4() != address.is_ipv4() {
                continue; // the other version of IP
            }
            spoken_to += 1;
            let mut client = ends.connect((host, address.port()).into(), &trusting).await;
            let mut accepted = listeners.accept().await.expect("room");
            shake_hands(&mut client, &mut accepted).await;
            drop(client);
            let end = accepted.receive_some(&mut [0]).await;
            assert!(!matches!(end, Err(TlsError::Truncated)), "{end:?}");
        }
        assert!(spoken_to > 0);
    }
    on_all!(claim);
}

#[test]
fn a_port_of_this_machine_speaks_tls_by_each_version_of_ip() {
    on_std(async |ends| {
        let (trusting, proving) = ends.parties();
        let listeners = open_tls_over_tcp_listeners(&ends.server, 0, &proving).await;
        let mut listeners = listeners.expect("ports");
        let mut clients = Vec::new();
        for listener in listeners.each() {
            let transport = connect_to_listener(&ends.client, listener).await;
            let transport = transport.expect("it listens");
            let client = TlsStream::client(transport, &trusting, ends.host.as_str());
            clients.push(client.expect("a name"));
        }
        for _ in 0..clients.len() {
            let mut accepted = listeners.accept().await.expect("room");
            // Whose it is, its peer's address tells.
            let peer = accepted.transport().peer_addr().expect("an address");
            let is_it = |client: &&mut TlsStream<tacket_std::TcpStream>| {
                client.transport().local_addr().expect("an address") == peer
            };
            let client = clients.iter_mut().find(is_it).expect("one of them");
            shake_hands(client, &mut accepted).await;
        }
    });
}

#[test]
fn a_server_of_core_takes_a_tls_listener() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let (listener, address) = ends.listener(&proving).await;
        let greet = async |mut stream: TlsStream<N::Stream>| {
            stream.send_all(b"hello").await?;
            stream.close().await
        };
        let server = Server::<_, _, _>::new(listener, &ends.server, greet);
        let client = async {
            let mut stream = ends.connect(address, &trusting).await;
            let mut buf = [0; 16];
            assert_eq!(stream.receive_some(&mut buf).await.expect("a greeting"), 5);
            assert_eq!(stream.receive_some(&mut buf).await.expect("the end"), 0);
            stream.close().await.expect("closes");
            server.stop(ends.limit);
            Ok(())
        };
        let (served, ()) = try_join(server.run::<2>(), client).await.expect("serves");
        assert_eq!((served.accepted, served.completed), (1, 1));
    }
    on_all!(claim);
}

/// Covers SSH-07.
#[test]
fn what_nobody_asked_for_is_not_https_compatible() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let listeners = open_tls_over_tcp_listeners(&ends.server, 0, &proving).await;
        let mut listeners = listeners.expect("ports");
        let (port, options) = (port(&listeners), ConnectOptions::new());
        let opening = open_tls_over_tcp_stream(&ends.client, &ends.host, port, options, &trusting);
        let (client, server) = join(opening, listeners.accept()).await;
        let mut client = client.expect("it listens");
        let mut server = server.expect("room").https_compatible();
        shake_hands(&mut client, &mut server).await;
        server.close().await.expect("closes");
        let end = client.receive_some(&mut [0]).await;
        assert!(matches!(end, Err(TlsError::Truncated)), "{end:?}");

        let opening = open_tls_over_tcp_stream(&ends.client, &ends.host, port, options, &trusting);
        let (client, server) = join(opening, listeners.accept()).await;
        let mut client = client.expect("it listens").https_compatible();
        let mut server = server.expect("room");
        shake_hands(&mut client, &mut server).await;
        client.close().await.expect("closes");
        let end = server.receive_some(&mut [0]).await;
        assert!(matches!(end, Err(TlsError::Truncated)), "{end:?}");
    }
    on_all!(claim);
}

#[test]
fn an_opening_that_is_dropped_is_given_up() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (trusting, proving) = ends.parties();
        let listeners = open_tls_over_tcp_listeners(&ends.server, 0, &proving).await;
        let mut listeners = listeners.expect("ports");
        let (port, options) = (port(&listeners), ConnectOptions::new());
        let open = || open_tls_over_tcp_stream(&ends.client, &ends.host, port, options, &trusting);
        for polls in 1..5 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                drop(point.cut(open()).await);
            }
        }
        let client = async {
            let mut stream = open().await.expect("it listens");
            stream.send_all(b"hello").await.expect("sends");
            stream.close().await.expect("closes");
        };
        let serving = async {
            loop {
                let mut stream = listeners.accept().await.expect("room");
                match stream.receive_some(&mut [0; 16]).await {
                    Ok(count) => return assert_eq!(count, 5),
                    // One that was given up.
                    Err(error) => assert!(!matches!(error, TlsError::Engine(_)), "{error:?}"),
                }
            }
        };
        join(client, serving).await;
    }
    on_all!(claim);
}
