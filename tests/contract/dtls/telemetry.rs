//! The telemetry protocol over DTLS, in bad networks: what a client was told is done was done once.

use core::cell::RefCell;
use core::num::NonZeroU16;
use core::time::Duration;

use tacket::testing::Link;
use tacket_examples::telemetry::datagrams::{Client, serve};
use tacket_examples::telemetry::{Device, Entry, Thermostat};

use super::{Channel, SECOND, meet_by, while_served};

/// A thermostat that remembers what it was set to.
#[derive(Default)]
struct Noted {
    thermostat: Thermostat,
    settings: Vec<i32>,
}

impl Device for Noted {
    fn entry(&self, index: usize) -> Option<Entry> {
        self.thermostat.entry(index)
    }

    fn read(&mut self, index: usize) -> i32 {
        self.thermostat.read(index)
    }

    fn set(&mut self, index: usize, value: i32) {
        self.settings.push(value);
        self.thermostat.set(index, value);
    }
}

#[test]
fn a_device_does_once_what_it_is_told_in_fifty_bad_networks() {
    let mut samples = 0;
    for seed in 0..50 {
        let device = RefCell::new(Noted::default());
        let wanted: Vec<_> = (0..10).map(|number| 20_000 + number).collect();
        meet_by(seed, false, async |pair, channel| {
            let link = Link::new().loss(0.2).duplication(0.2).reordering(0.3);
            let link = link.delay(Duration::from_millis(50));
            let link = link.jitter(Duration::from_millis(100));
            pair.world.net.set_usual_link(link);
            let handler = async |channel: Channel| {
                let served = serve(channel, &mut &device, pair.executor, 300 * SECOND).await;
                served.map(drop)
            };
            while_served(&pair, handler, async {
                channel.do_handshake().await.expect("a handshake");
                let mut client = Client::new(channel, pair.executor);
                for value in &wanted {
                    let set = client.set(Thermostat::SETPOINT, *value).await;
                    set.expect("set");
                    let read = client.read(Thermostat::SETPOINT).await;
                    assert_eq!(read.expect("a value"), *value, "seed {seed}");
                }
                let number = |number| NonZeroU16::new(number).expect("not 0");
                let reading = Thermostat::TEMPERATURE;
                let subscribed = client.subscribe(reading, number(200), number(20));
                subscribed.await.expect("subscribed");
                while client.next_sample().await.expect("samples").is_some() {
                    samples += 1;
                }
                client.close().await.expect("closes");
            })
            .await;
        });
        assert_eq!(device.borrow().settings, wanted, "seed {seed}");
    }
    // Of a thousand, a fifth was lost, and some came too late.
    assert!((500..900).contains(&samples), "{samples}");
}
