//! Connecting to a host by TLS without a heap, over any network.

use futures_util::future::join;
use rand_core_0_6::OsRng;
use tacket::{
    AsyncResource as _, ConnectOptions, Error as _, Fault, Listener as _, Network, OpenError,
    ReceiveStream as _,
};
use tacket_tests::Authority;
use tacket_tls::{
    Anchors, ConfigError, EngineError, Fingerprint, GuardError, GuardTrust, GuardedClientConfig,
    GuardedConnector, GuardedEngine, OpenTlsError, ServerConfig, TlsError, TlsStorage, TlsStream,
    Validity, VerifyError, open_tls_over_tcp_listeners, open_tls_over_tcp_stream,
};

use super::{Ends, on_all, on_embassy, on_sim, on_std, port};

const RX: usize = TlsStorage::<512, 512>::ANY_SERVER;

type Opened<'b, N> = TlsStream<<N as tacket::Connect>::Stream, GuardedEngine<'b>>;
type Failure<N> = OpenTlsError<OpenError<<N as embedded_io_async::ErrorType>::Error, 8>>;

/// Runs `test` on what comes of connecting to `port` of the server, as a client that trusts `authority`.
async fn open<N: Network, T>(
    ends: &Ends<N>,
    port: u16,
    authority: &Authority,
    test: impl for<'b> AsyncFnOnce(Result<Opened<'b, N>, Failure<N>>) -> T,
) -> T {
    let roots = [authority.root()];
    let anchors = Anchors::from_certificates(&roots).expect("a root");
    let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
    let config = GuardedClientConfig::new(trust, ends.host.as_str(), Validity::Unchecked);
    let config = config.expect("a name");
    let mut storage = Box::new(TlsStorage::<RX, 1024>::new());
    let (options, mut rng) = (ConnectOptions::new(), OsRng);
    let connector = GuardedConnector::new(&config, &mut rng, &mut storage);
    let opening = open_tls_over_tcp_stream(&ends.client, &ends.host, port, options, connector);
    let opened = opening.await;
    test(opened).await
}

/// What a client says of a handshake with a server that proves itself by `proving`.
async fn meet<N: Network>(
    ends: &Ends<N>,
    authority: &Authority,
    proving: &ServerConfig,
) -> Result<(), EngineError> {
    let listeners = open_tls_over_tcp_listeners(&ends.server, 0, proving).await;
    let mut listeners = listeners.expect("free ports");
    let port = port(&listeners);
    let talking = open(ends, port, authority, async |opened| {
        let Ok(mut stream) = opened else {
            panic!("it listens")
        };
        match stream.do_handshake().await {
            Ok(()) => stream.close().await.expect("closes"),
            Err(TlsError::Engine(error)) => return Err(error),
            Err(other) => panic!("{other:?}"),
        }
        Ok(())
    });
    let answering = async {
        let mut stream = listeners.accept().await.expect("room");
        stream.receive_some(&mut [0]).await.is_ok()
    };
    let (talked, answered) = join(talking, answering).await;
    assert_eq!(talked.is_ok(), answered);
    talked
}

#[test]
fn a_client_without_a_heap_checks_the_host_that_it_connects_to() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let authority = Authority::new();
        let right = authority.server_config_for(&[&ends.host], |_| {});
        meet(ends, &authority, &right)
            .await
            .expect("the right name");
        let wrong = authority.server_config_for(&["other.example"], |_| {});
        let refused = meet(ends, &authority, &wrong).await;
        let name = GuardError::Untrusted(VerifyError::NameMismatch);
        assert_eq!(refused, Err(EngineError::Guard(name)));
    }
    on_all!(claim);
}

#[test]
fn where_nobody_answers_the_network_fails_a_client_without_a_heap() {
    async fn claim<N: Network<Error: 'static>>(ends: &Ends<N>) {
        let authority = Authority::new();
        let opening = open(ends, 1, &authority, async |opened| opened.map(|_| ()));
        let refused = opening.await.expect_err("nobody listens");
        assert_eq!(refused.fault(), Fault::Broken);
        assert!(matches!(refused, OpenTlsError::Transport(_)), "{refused:?}");
    }
    on_all!(claim);
}

#[test]
fn a_client_without_a_heap_connects_to_no_host_but_that_of_its_configuration() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let keys = [Fingerprint::new([7; 32])];
        let trust = GuardTrust::in_keys(&keys).expect("one");
        let config = GuardedClientConfig::new(trust, "other.example", Validity::Unchecked);
        let config = config.expect("a name");
        let mut storage = Box::new(TlsStorage::<RX, 1024>::new());
        let (options, mut rng) = (ConnectOptions::new(), OsRng);
        let connector = GuardedConnector::new(&config, &mut rng, &mut storage);
        let opening = open_tls_over_tcp_stream(&ends.client, &ends.host, 1, options, connector);
        let refused = opening.await.map(|_| ());
        assert!(
            matches!(refused, Err(OpenTlsError::Config(ConfigError::InvalidName))),
            "{refused:?}"
        );
    }
    on_all!(claim);
}
