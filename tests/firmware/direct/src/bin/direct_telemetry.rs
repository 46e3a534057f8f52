//! The telemetry server over embassy-net's own socket: the same protocol code as `telemetry_server`, on a stream that only passes
//! each call on. What it lacks, such as a reset when it is dropped, is what tacket's sockets add.
#![no_std]
#![no_main]

use core::time::Duration;

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use embassy_time::{Instant, Timer};
use futures_util::future::join;
use static_cell::{ConstStaticCell, StaticCell};
use tacket::Clock;
use tacket_board::{argument, ethernet, exit, report, start_network};
use tacket_examples::telemetry::{self, Thermostat};
use tacket_firmware_direct::{Direct, socket};

const PORT: u16 = 8;

static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
static SOCKETS: ConstStaticCell<[[[u8; 1024]; 2]; 2]> = ConstStaticCell::new([[[0; 1024]; 2]; 2]);

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        let resources = RESOURCES.init(StackResources::new());
        let stack = start_network(spawner, ethernet(), resources);
        spawner.spawn(image(stack).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(stack: Stack<'static>) {
    stack.wait_config_up().await;
    let [first, second] = SOCKETS.take();
    let (mut serving, mut armed) = (socket(stack, first), socket(stack, second));
    let mut thermostat = Thermostat::new();
    report!("listening on port {PORT}");
    let mut clients = argument("clients").unwrap_or(u32::MAX);
    let mut accepted = serving.accept(PORT).await;
    while clients > 0 {
        if let Err(error) = accepted {
            report!("the listener failed: {error:?}");
            return exit(false);
        }
        let last = clients == 1;
        let next = async {
            match last {
                true => Ok(()),
                false => armed.accept(PORT).await,
            }
        };
        let session = telemetry::serve(Direct(&mut serving), &mut thermostat, &EmbassyClock);
        let (served, connected) = join(session, next).await;
        match served {
            Ok(served) => report!(
                "served {} requests, {} samples",
                served.requests,
                served.samples
            ),
            Err(error) => report!("a client failed: {error}"),
        }
        accepted = connected;
        core::mem::swap(&mut serving, &mut armed);
        clients -= 1;
    }
    exit(true);
}

struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }

    async fn sleep_until(&self, deadline: Duration) {
        Timer::at(Instant::from_micros(deadline.as_micros() as u64)).await;
    }
}
