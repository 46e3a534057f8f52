//! Two networks on a wire, and a program that happens to them.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::time::Duration;

use futures_util::future::{join, try_join};
use tacket::{
    AsyncResource as _, Clock as _, Listener as _, ReceiveStream as _, SendDatagram as _,
    SendStream as _,
};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{EmbassyClock, TcpListener, TcpStream, UdpSocket};

use super::forgery::{forge, make_consistent};
use super::ledger::Ledger;
use super::manner::LONGEST;
use super::operation::Player;
use super::program::{Program, Step};
use super::thing::Things;

/// The sockets of each network, and the bytes of each of their buffers.
const SOCKETS: usize = 4;
const BUFFER: usize = 256;
const DATAGRAM_SOCKETS: usize = 2;

/// How many packets can be repeated or forged.
const KEPT: usize = 64;

/// The limit of a close, and that of the reset which may come of it. Then a socket is back, whatever the peer does.
const RETURN: Duration = Duration::from_millis(10_000 + 1_000);

/// Until everything that is still on the wire has arrived, and is forgotten.
const QUIET: Duration = Duration::from_secs(20);

/// Two networks on a wire, and what a program holds of them.
pub(super) struct World {
    wire: Wire,
    player: Rc<Player>,
    packets: Rc<RefCell<Packets>>,
}

/// The last ones, with those who sent them; the latest first.
type Packets = VecDeque<(Side, Vec<u8>)>;

impl World {
    pub(super) fn new(program: &Program) -> Self {
        let wire = Wire::new(program.seed, Impairments::none());
        let nets = [Side::Left, Side::Right].map(|side| {
            wire.net::<SOCKETS, BUFFER, BUFFER, DATAGRAM_SOCKETS>(side, program.options)
        });
        let packets = Rc::new(RefCell::new(Packets::new()));
        let keeper = Rc::clone(&packets);
        wire.filter(move |from, packet| {
            let mut packets = keeper.borrow_mut();
            packets.push_front((from, packet.to_vec()));
            packets.truncate(KEPT);
            true
        });
        Self {
            wire,
            player: Rc::new(Player {
                nets,
                things: Things::default(),
                ledger: Ledger::default(),
            }),
            packets,
        }
    }

    /// Takes the steps, drops everything, and demands it back.
    pub(super) fn run(&self, steps: &[Step]) {
        self.wire.run(async {
            for step in steps {
                self.take(step).await;
                self.check_usage();
            }
            sleep(LONGEST).await;
            self.player.things.drop_all();
            self.player.ledger.check();
            sleep(RETURN).await;
            self.check_all_free();
            self.wire.mend();
            self.wire.impair(Impairments::none());
            sleep(QUIET).await;
            for server in [Side::Left, Side::Right] {
                self.use_all_sockets(server).await;
                sleep(RETURN).await;
                self.check_all_free();
            }
        });
    }

    async fn take(&self, step: &Step) {
        match *step {
            Step::Impair(impairments) => self.wire.impair(impairments),
            Step::Cut => self.wire.cut(),
            Step::Mend => self.wire.mend(),
            Step::Wait(time) => sleep(time).await,
            Step::Do(operation, manner) if manner.is_beside => {
                let player = Rc::clone(&self.player);
                self.wire
                    .spawn(async move { player.perform(operation, manner).await });
            }
            Step::Do(operation, manner) => self.player.perform(operation, manner).await,
            Step::Repeat(back) => {
                if let Some((from, packet)) = self.packet(back) {
                    self.wire.inject(from.other(), &packet);
                }
            }
            Step::Forge {
                back,
                is_turned,
                ref edits,
            } => {
                if let Some((from, packet)) = self.packet(back) {
                    let to = if is_turned { from } else { from.other() };
                    self.player.ledger.note_forgery();
                    self.wire.inject(to, &forge(&packet, edits));
                }
            }
            Step::Inject {
                to,
                is_consistent,
                ref packet,
            } => {
                let mut packet = packet.clone();
                if is_consistent {
                    make_consistent(&mut packet);
                }
                self.player.ledger.note_forgery();
                self.wire.inject(to, &packet);
            }
        }
    }

    fn packet(&self, back: u8) -> Option<(Side, Vec<u8>)> {
        let packets = self.packets.borrow();
        let place = usize::from(back).checked_rem(packets.len())?;
        packets.get(place).cloned()
    }

    fn check_usage(&self) {
        for usage in self.player.nets.map(|net| net.usage()) {
            let without_handles = usage.armed + usage.lingering + usage.aborting;
            assert!(without_handles <= usage.in_use, "{usage:?}");
            assert!(usage.in_use <= usage.sockets, "{usage:?}");
        }
    }

    fn check_all_free(&self) {
        for usage in self.player.nets.map(|net| net.usage()) {
            assert_eq!(usage.in_use, 0, "{usage:?}");
        }
    }

    /// Uses every socket of both networks, `server` being the side that listens.
    async fn use_all_sockets(&self, server: Side) {
        let (net, address) = (self.player.net(server), server.port(7));
        let listener = TcpListener::bind_with_backlog(net, address, SOCKETS);
        let mut listener = listener.expect("a free port");
        let mut pairs = Vec::new();
        for _ in 0..SOCKETS {
            let connecting = TcpStream::connect(self.player.net(server.other()), address);
            let pair = try_join(connecting, listener.accept()).await;
            pairs.push(pair.expect("a fresh connection"));
        }
        for (mut client, mut served) in pairs {
            client.send_all(b"fresh").await.expect("sends");
            let mut buf = [0; 8];
            let count = served.receive_some(&mut buf).await.expect("data");
            assert_eq!(buf.get(..count), Some(&b"fresh"[..]));
            let closed = join(client.close(), served.close()).await;
            assert_eq!(closed, (Ok(()), Ok(())));
        }
        let bind = || UdpSocket::bind(net, server.port(0)).expect("a free port");
        for mut socket in [(); DATAGRAM_SOCKETS].map(|()| bind()) {
            let peer = server.other().port(99);
            socket.send_to(b"fresh", peer).await.expect("sends");
        }
    }
}

async fn sleep(time: Duration) {
    let clock = EmbassyClock::new();
    clock.sleep_until(clock.now() + time).await;
}
