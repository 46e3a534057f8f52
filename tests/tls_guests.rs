//! What TLS without a heap costs in firmware: guests that are clients, and the server here that they speak with.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::time::SystemTime;

use rand_core_0_6::{OsRng, RngCore as _};
use tacket::{Listener as _, LocalAddress as _, timeout};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::{Board, Boot, Finished, HilError, Image, Target};
use tacket_std::{MonotonicClock, TcpListener, TcpStream};
use tacket_tls::{ServerConfig, TlsStream};

use crate::authority::{Authority, NAME};
use crate::images::{example, tls_image};
use crate::sizes::Sizes;

const TARGET: Target = Target::THUMBV7M;
const BOARD: Board = Board::MPS2_AN385;

/// This machine, as a guest sees it.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// How long a guest may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a client of TLS takes of its board.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TlsBudget {
    /// Flash and static memory.
    pub sizes: Sizes,
    /// The stack, in bytes.
    pub stack: u64,
}

/// What a session of a client costs, in instructions.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TlsCosts {
    /// The flash, the memory, and the stack.
    pub budget: TlsBudget,
    /// Those for a connection, its handshake and its end.
    pub handshake: f64,
    /// Those for a byte that is sent and comes back.
    pub byte: f64,
}

/// Gives a guest what its clients of TLS are to know: that `authority` says who `name` is, the date, and random bytes of this machine.
///
/// # Panics
///
/// Without a source of randomness, and before 1970.
pub fn provision(boot: Boot, authority: &Authority, name: &str) -> Boot {
    trusting(boot, &authority.root(), name)
}

/// The same with an authority of which there is only the certificate.
///
/// # Panics
///
/// As [`provision`].
pub fn trusting(boot: Boot, root: &[u8], name: &str) -> Boot {
    equip(boot)
        .argument(format!("name={name}"))
        .argument(format!("root={}", to_hex(root)))
}

/// Gives a guest what its servers of TLS are to know: the date, random bytes of this machine, and how it proves to be `name` with a certificate that
/// `authority` has signed.
///
/// # Panics
///
/// As [`provision`], and if `name` is none.
pub fn certified(boot: Boot, authority: &Authority, name: &str) -> Boot {
    let (certificate, key) = authority.certify(&[name], |_| {});
    equip(boot)
        .argument(format!("certificate={}", to_hex(&certificate)))
        .argument(format!("key={}", to_hex(key.secret_der())))
}

/// Gives a guest the date, and random bytes.
#[expect(
    clippy::expect_used,
    reason = "what it is called by says that it may panic"
)]
fn equip(boot: Boot) -> Boot {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the date");
    let mut entropy = [0; 32];
    OsRng.fill_bytes(&mut entropy);
    boot.argument(format!("now={}", now.as_secs()))
        .argument(format!("entropy={}", to_hex(&entropy)))
}

/// Bytes as arguments of firmware have them.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Measures a client of telemetry, which is content.
///
/// # Errors
///
/// It cannot be built, or does not do what it should.
///
/// # Panics
///
/// Sockets of this machine fail, or the guest takes too long.
pub fn tls_budget(name: &str) -> Result<TlsBudget, HilError> {
    let image = example(TARGET, name)?;
    let clock = MonotonicClock::new();
    let finished = serve(Boot::new(&image, BOARD), 1, async |stream| {
        let served = telemetry::serve(stream, &mut Thermostat::new(), &clock).await;
        served.is_ok()
    })?;
    budget(&image, &finished)
}

/// Measures one of the clients of `tests/firmware/tls`.
///
/// # Errors
///
/// It cannot be built, or does not do what it should.
///
/// # Panics
///
/// Sockets of this machine fail, the guest takes too long, or its instructions were not counted.
#[expect(clippy::expect_used, reason = "documented")]
pub fn tls_costs(name: &str) -> Result<TlsCosts, HilError> {
    const SESSIONS: u64 = 4;
    const BYTES: u64 = 1 << 18;
    let image = tls_image(TARGET, name)?;
    let hold = |sessions: u64, bytes: u64| {
        let boot = Boot::new(&image, BOARD).count_instructions();
        let boot = boot.argument(format!("sessions={sessions}"));
        let boot = boot.argument(format!("bytes={bytes}"));
        serve(boot, sessions, async |stream| {
            // The end of the one that is alone is a reset.
            let _ = echo::serve(stream, &mut vec![0; 1 << 16]).await;
            true
        })
    };
    let [one, more, long] = [hold(1, 0)?, hold(1 + SESSIONS, 0)?, hold(1, BYTES)?];
    let count = |finished: &Finished| finished.instructions.expect("they were counted") as f64;
    Ok(TlsCosts {
        budget: budget(&image, &long)?,
        handshake: (count(&more) - count(&one)) / SESSIONS as f64,
        byte: (count(&long) - count(&one)) / BYTES as f64,
    })
}

#[expect(
    clippy::expect_used,
    reason = "what they are called with says that it may panic"
)]
pub(crate) fn budget(image: &Image, finished: &Finished) -> Result<TlsBudget, HilError> {
    let mut lines = finished.lines.iter();
    let stack = lines.find_map(|line| line.strip_prefix("stack ")?.split(' ').next()?.parse().ok());
    Ok(TlsBudget {
        sizes: Sizes::of(image.path()).expect("it was built now"),
        stack: stack.expect("it says how deep its stack was"),
    })
}

/// Boots a client, and has `talk` speak with it, so often, over TLS. It says whether that went well.
fn serve(
    boot: Boot,
    sessions: u64,
    talk: impl AsyncFn(TlsStream<TcpStream>) -> bool,
) -> Result<Finished, HilError> {
    let authority = Authority::new();
    serve_as(boot, &authority, &authority.server_config(), sessions, talk)
}

/// The same with this configuration, of a server that `authority` has certified.
#[expect(
    clippy::expect_used,
    reason = "what they are called with says that it may panic"
)]
pub(crate) fn serve_as(
    boot: Boot,
    authority: &Authority,
    config: &ServerConfig,
    sessions: u64,
    talk: impl AsyncFn(TlsStream<TcpStream>) -> bool,
) -> Result<Finished, HilError> {
    let mut listener =
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let port = listener.local_addr().expect("its own").port();
    let there = SocketAddr::from((HERE, port));
    let guest = provision(boot, authority, NAME)
        .argument(format!("server={there}"))
        .start()?;
    let clock = MonotonicClock::new();
    let serving = async {
        for _ in 0..sessions {
            let stream = listener.accept().await.expect("a client");
            let stream = session(stream, config);
            assert!(talk(stream).await, "the guest is not content");
        }
    };
    let served = tacket_std::run(timeout(&clock, LIMIT, serving)).expect("an event loop");
    served.expect("the guest takes too long");
    guest.finish()
}

#[expect(
    clippy::expect_used,
    reason = "the configuration accepts no early data"
)]
fn session(stream: TcpStream, config: &ServerConfig) -> TlsStream<TcpStream> {
    TlsStream::server(stream, config).expect("a configuration")
}
