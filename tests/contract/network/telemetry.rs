//! A program that is written once, and runs over any network.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tacket::{Clock, Network, SendStream as _};
use tacket_examples::telemetry::{Client, ServeError, ServerEvent, Thermostat, listen, session};

use super::{Ends, on_both, on_embassy, on_std};

async fn pause(clock: &impl Clock) {
    clock
        .sleep_until(clock.now() + Duration::from_millis(50))
        .await;
}

#[test]
fn a_device_serves_its_clients_one_after_the_other_and_the_bad_ones_too() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (listener, address) = ends.listener().await;
        drop(listener); // its port is free now
        let (mut thermostat, mut events) = (Thermostat::new(), Vec::new());
        let serving = listen(&ends.server, address, &mut thermostat, |event| {
            events.push(event);
        });
        let clients = async {
            let mut bad = ends.client.connect(address).await.expect("connects");
            bad.send_all(&[0]).await.expect("sends");
            pause(&ends.client).await; // a connection that is reset before it is accepted is passed over
            drop(bad);
            let client = Client::connect(&ends.client, address).await;
            let mut client = client.expect("connects");
            client
                .set(Thermostat::SETPOINT, 20_500)
                .await
                .expect("answers");
            client.close().await.expect("closes");
            let stream = ends.client.connect(address).await.expect("connects");
            let summary = session(stream, &ends.client).await.expect("a thermostat");
            pause(&ends.client).await; // the server closes after its client
            summary
        };
        let Either::Right((summary, _)) = select(pin!(serving), pin!(clients)).await else {
            panic!("the server ended");
        };
        let requests = |event: &ServerEvent<N::Error>| match event {
            ServerEvent::Served(served) => served.requests,
            ServerEvent::Failed(ServeError::Stream(_)) => 0,
            event => panic!("{event:?}"),
        };
        let requests: Vec<_> = events.iter().map(requests).collect();
        assert_eq!(requests, [0, 1, summary.requests]);
    }
    on_both!(claim);
}
