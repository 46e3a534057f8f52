//! Memory that serves one session after the other, whatever became of the last one.

use futures_util::future::join;
use rand_core_0_6::OsRng;
use tacket::testing::{DropPoint, MemoryPair};
use tacket::{AsyncResource, ReceiveStream as _, SendStream as _, Split};
use tacket_tests::{Authority, Owner, Scripted, extensions};
use tacket_tls::{GuardedClientConfig, GuardedEngine, TlsStorage, TlsStream};

use super::guarded::{memory, trusting};
use super::recording::Recording;
use super::run;

type Storage = TlsStorage<2048, 1024>;

fn open<'b, S: Split>(
    transport: S,
    config: &'b GuardedClientConfig<'b>,
    storage: &'b mut Storage,
) -> TlsStream<S, GuardedEngine<'b>> {
    TlsStream::guarded_client(transport, config, &mut OsRng, storage).expect("random bytes")
}

/// Demands that a new session begins with its hello, and carries what it is given and nothing else.
async fn assert_fresh(
    authority: &Authority,
    config: &GuardedClientConfig<'_>,
    storage: &mut Storage,
) {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let (recording, tape) = Recording::new(left);
    let mut client = open(recording, config, storage);
    client.negotiated().expect_err("nothing is known");
    let mut server = TlsStream::server(right, &authority.server_config()).expect("valid");
    let talking = async {
        client.send_all(b"new").await.expect("sends");
        let mut buf = [0; 9];
        assert_eq!(client.receive_some(&mut buf).await, Ok(4));
        assert_eq!(buf[..4], *b"back");
        client.close().await.expect("closes");
    };
    let serving = async {
        let mut buf = [0; 9];
        assert_eq!(server.receive_some(&mut buf).await, Ok(3));
        assert_eq!(buf[..3], *b"new");
        server.send_all(b"back").await.expect("sends");
        assert_eq!(server.receive_some(&mut buf).await, Ok(0));
    };
    join(talking, serving).await;
    // The type of the first record, and of its message.
    let sent = tape.sent();
    assert_eq!((sent[0], sent[5]), (22, 1));
}

#[test]
fn memory_serves_again_after_a_drop_at_any_point_of_a_handshake() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let mut storage = Storage::new();
    for polls in 1.. {
        let memory = MemoryPair::new([0; 40], [0; 40]);
        let dropped = run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = open(left, &config, &mut storage);
            let mut server = TlsStream::server(right, &authority.server_config()).expect("valid");
            let shaking = async {
                let point = DropPoint::after_poll(polls);
                let shaken = point.cut(client.do_handshake()).await;
                drop(client);
                shaken.is_none()
            };
            join(shaking, server.do_handshake()).await.0
        });
        run(assert_fresh(&authority, &config, &mut storage));
        if !dropped {
            assert!(polls > 10, "it was dropped at few points: {polls}");
            break;
        }
    }
}

#[test]
fn memory_serves_again_after_a_refusal() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let stranger = Owner::root("stranger");
    let mut storage = Storage::new();
    for closes in [false, true] {
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = open(left, &config, &mut storage);
            let serving = async {
                let mut scripted = Scripted::greet(right, |_| {}).await;
                scripted.be_honest(&stranger).await;
                scripted.say(&[&extensions()]).await;
                scripted
            };
            let (shaken, _scripted) = join(client.do_handshake(), serving).await;
            shaken.expect_err("a stranger");
            if closes {
                client.close().await.expect("closes");
            }
        });
        run(assert_fresh(&authority, &config, &mut storage));
    }
}

#[test]
fn memory_serves_again_with_half_a_record_in_it_and_data_that_nobody_took() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let mut storage = Storage::new();
    for half in [1, 4, 5, 6, 20, 1000] {
        let memory = memory();
        run(async {
            let (left, mut right) = memory.open().expect("a new pair");
            let mut client = open(left, &config, &mut storage);
            let mut server =
                TlsStream::server(&mut right, &authority.server_config()).expect("valid");
            let (sent, received) =
                join(client.send_all(b"old"), server.receive_some(&mut [0; 9])).await;
            sent.expect("sends");
            assert_eq!(received, Ok(3));
            server.send_all(b"taken in part").await.expect("sends");
            assert_eq!(client.receive_some(&mut [0; 5]).await, Ok(5));
            drop(server);
            let begun = [&[23, 3, 3, 4, 100][..], &[7; 1000]].concat();
            right.send_all(&begun[..half]).await.expect("sends");
            // It has seen the half: the rest of the data is out before that is looked at.
            assert_eq!(client.receive_some(&mut [0; 20]).await, Ok(8));
            let _ = DropPoint::after_poll(1)
                .cut(client.receive_some(&mut [0; 20]))
                .await;
            // Protected, and never handed to the transport.
            use embedded_io_async::Write as _;
            client.write(b"never sent").await.expect("takes it");
        });
        run(assert_fresh(&authority, &config, &mut storage));
    }
}

#[test]
fn memory_that_was_wiped_serves_again() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let mut storage = Storage::new();
    run(assert_fresh(&authority, &config, &mut storage));
    storage.wipe();
    run(assert_fresh(&authority, &config, &mut storage));
}
