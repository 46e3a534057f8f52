//! The clients of the load test of DTLS, each with a socket of its own: the server tells them apart by their addresses.

use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use tacket::{AsyncResource as _, timeout};
use tacket_std::{MonotonicClock, UdpSocket};
use tacket_tests::NAME;
use tacket_tls::{DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsPsk, DtlsTrust, Fingerprint};

use crate::Failure;
use crate::answer::add;
use crate::control::{Commands, say};
use crate::wrongs::Wrongs;

/// How many addresses of this machine the clients have, so that the ports of none run out.
const ADDRESSES: u64 = 8;
/// How many do something at the same time: the server has a queue of datagrams that is not longer than some hundreds.
const AT_ONCE: usize = 32;
/// How long a message waits for its answer, and how often it is said: the system may lose it.
const ANSWER: Duration = Duration::from_secs(2);
const TIMES: u32 = 10;
/// How long a handshake takes at most.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// Who the clients are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Fleet {
    /// Where the server is
    #[arg(long)]
    address: SocketAddr,
    /// How many there are
    #[arg(long)]
    clients: u64,
    /// The fingerprint of the server's certificate; without it, there is a pre-shared key
    #[arg(long)]
    pinned: Option<String>,
    /// Speak DTLS 1.3
    #[arg(long)]
    dtls13: bool,
}

/// The pre-shared key.
pub(crate) const KEY: [u8; 32] = [7; 32];
/// And its name.
pub(crate) const IDENTITY: &str = "sensor 17";

struct Client {
    number: u64,
    channel: DtlsChannel<UdpSocket>,
    _endpoint: DtlsEndpoint<UdpSocket>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Clients whose handshake is done, and who have got an answer.
    here: Cell<u64>,
    /// Messages that came back once all were here.
    answered: Cell<u64>,
    /// Messages that came back just before the end.
    left: Cell<u64>,
    closed: Cell<u64>,
    wrongs: Wrongs,
}

/// Has them come, has each say something when it is told to, and has them leave.
pub(crate) fn play(fleet: &Fleet) -> Result<(), Failure> {
    let config = fleet.config()?;
    let mut commands = Commands::new()?;
    tacket_std::run(async {
        let counts = Counts::default();
        let coming = stream::iter(0..fleet.clients).map(async |number| {
            let come = Client::come(fleet, &config, number).await;
            counts.note(come, &counts.here)
        });
        let coming = coming.buffer_unordered(AT_ONCE);
        let clients: Vec<Client> = coming.filter_map(core::future::ready).collect().await;
        say(&counts.statistics());
        while let Some(command) = commands.next().await? {
            match command.as_str() {
                "go" => {
                    stream::iter(&clients)
                        .for_each_concurrent(AT_ONCE, async |client| {
                            let asked = client.ask(1).await;
                            counts.note(asked, &counts.answered);
                        })
                        .await;
                    say(&counts.statistics());
                }
                "finish" => break,
                _ => return Err(format!("unknown command: {command}").into()),
            }
        }
        stream::iter(clients)
            .for_each_concurrent(AT_ONCE, async |client| {
                // Nobody says whether an end has come, and the queue of the server is short: so there is an answer before each.
                counts.note(client.ask(2).await, &counts.left);
                let closed = client.channel.close().await;
                counts.note(closed.map_err(|error| format!("{error:?}")), &counts.closed);
            })
            .await;
        say(&counts.statistics());
        Ok(())
    })?
}

impl Fleet {
    fn config(&self) -> Result<DtlsClientConfig, Failure> {
        let Some(pinned) = &self.pinned else {
            return Ok(DtlsClientConfig::with_psk(DtlsPsk::new(IDENTITY, KEY)?));
        };
        let pinned = Fingerprint::from_hex(pinned).ok_or("not a fingerprint")?;
        let config = DtlsClientConfig::new(DtlsTrust::in_certificates([pinned])?)?;
        Ok(match self.dtls13 {
            true => config.with_dtls13()?,
            false => config,
        })
    }
}

impl Client {
    async fn come(fleet: &Fleet, config: &DtlsClientConfig, number: u64) -> Result<Self, String> {
        let host = 1 + u8::try_from(number % ADDRESSES).expect("there are few");
        let local = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
        let socket = UdpSocket::bind(local).map_err(|error| error.to_string())?;
        let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new());
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let channel = endpoint.connect(fleet.address, config, NAME);
        let client = Self {
            number,
            channel: channel.map_err(|error| error.to_string())?,
            _endpoint: endpoint,
        };
        let shaking = client.channel.do_handshake();
        let shaken = timeout(&MonotonicClock::new(), HANDSHAKE, shaking).await;
        let shaken = shaken.map_err(|_| "no handshake".to_owned())?;
        shaken.map_err(|error| format!("{error:?}"))?;
        // So the server's end is done, too.
        client.ask(0).await?;
        Ok(client)
    }

    /// Says something that nobody else says, and gets it back.
    async fn ask(&self, turn: u32) -> Result<(), String> {
        let message = format!("message {turn} of {}", self.number);
        for _ in 0..TIMES {
            let sent = self.channel.send(message.as_bytes()).await;
            sent.map_err(|error| format!("{error:?}"))?;
            let mut answer = [0; 64];
            let receiving = self.channel.receive(&mut answer);
            match timeout(&MonotonicClock::new(), ANSWER, receiving).await {
                Err(_) => {}
                Ok(Ok(Some(length))) if answer.get(..length) == Some(message.as_bytes()) => {
                    return Ok(());
                }
                // The one before, which was said twice.
                Ok(Ok(Some(_))) if turn > 0 => {}
                Ok(other) => return Err(format!("{other:?}")),
            }
        }
        Err("no answer".to_owned())
    }
}

impl Counts {
    fn note<T>(&self, done: Result<T, String>, count: &Cell<u64>) -> Option<T> {
        match done {
            Ok(done) => {
                add(count, 1);
                Some(done)
            }
            Err(wrong) => {
                self.wrongs.add(wrong);
                None
            }
        }
    }

    fn statistics(&self) -> Value {
        json!({
            "here": self.here.get(),
            "answered": self.answered.get(),
            "left": self.left.get(),
            "closed": self.closed.get(),
            "wrong": self.wrongs.count(),
            "first_wrongs": self.wrongs.first(),
        })
    }
}
