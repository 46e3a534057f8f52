//! TLS over the sockets of a microcontroller's stack. Neither knows of the other.

use futures_util::future::join;
use tacket::testing::{Makers, check_half_closeable_stream, check_one_way_stream};
use tacket::{AsyncResource, Clock as _, ReceiveStream, SendStream};
use tacket_embassy::testing::{Impairments, Wire};
use tacket_embassy::{EmbassyClock, Options};
use tacket_tests::{Patience, examine_by};

use super::ends::Ends;
use crate::tls::Parties;

#[test]
fn tls_over_embassy_streams_keeps_the_contract() {
    let wire = Wire::new(5, Impairments::none().loss(0.02).reordering(0.1));
    let ends = Ends::of(&wire, Options::new());
    let parties = Parties::new();
    let make = async || parties.acquainted(ends.connect().await).await;
    let mut scratch = Box::new([0; 1 << 13]);
    let patience = Patience {
        limit: core::time::Duration::from_secs(100_000),
        settle: core::time::Duration::from_secs(60),
        duplex_bytes: 1 << 17,
    };
    let clock = EmbassyClock::new();
    let examined = wire.run(examine_by(&clock, &mut scratch, patience, async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    }));
    examined.assert_clean(&[]);
}

#[test]
fn a_session_over_embassy_streams_ends_properly_at_both_ends() {
    let wire = Wire::new(6, Impairments::none());
    let ends = Ends::of(&wire, Options::new());
    let parties = Parties::new();
    wire.run(async {
        let (mut client, mut server) = parties.pair(ends.connect().await);
        let asking = async {
            client.send_all(&[1; 50_000]).await.expect("sends");
            let mut buf = [0; 16];
            let count = client.receive_some(&mut buf).await.expect("an answer");
            assert_eq!(&buf[..count], b"50000");
            client.close().await.expect("closes");
        };
        let answering = async {
            let (mut total, mut buf) = (0, [0; 1000]);
            while total < 50_000 {
                total += server.receive_some(&mut buf).await.expect("data");
            }
            server.send_all(b"50000").await.expect("sends");
            assert_eq!(server.receive_some(&mut buf).await.expect("the end"), 0);
            server.close().await.expect("closes");
        };
        join(asking, answering).await;
    });
    assert!(EmbassyClock::new().now().as_secs() < 60);
}
