//! Reports how many bytes the types of tacket take here, and the futures of the programs that use a part each.
#![no_std]
#![no_main]

use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use tacket::{
    Channel, ChannelSender, CloseOnEof, Delimited, Foreign, LengthPrefixed, Listeners,
    MessageReceiver, MessageSender, ReceiveStream as _, SendStream as _, Server, StapledStream,
};
use tacket_board::report;
use tacket_embassy::{EmbassyClock, Net, TcpListener, TcpStream};
use tacket_firmware_parts::{Line, Lines, Uart, talk};

tacket_firmware_parts::image!(report_all());

/// A type of no size adds none to what wraps it.
type Nothing = Foreign<Uart>;

macro_rules! types {
    ($($name:literal $type:ty;)*) => { $(report!("type {} {}", size_of::<$type>(), $name);)* };
}

macro_rules! futures {
    ($($name:literal $future:expr;)*) => { $(report!("future {} {}", size_of_val(&$future), $name);)* };
}

async fn report_all() -> bool {
    types! {
        "`StapledStream`, beside its halves" StapledStream<Nothing, Nothing>;
        "`CloseOnEof`, beside its stream" CloseOnEof<Nothing>;
        "`Channel<u32, 0>`, 8 waiting" Channel<u32, 0>;
        "`Channel<u32, 4>`, 8 waiting" Channel<u32, 4>;
        "`Channel<u32, 4>`, 2 waiting" Channel<u32, 4, NoopRawMutex, 2>;
        "`Channel<u32, 64>`, 8 waiting" Channel<u32, 64>;
        "`Channel<u32, 4, CriticalSectionRawMutex>`, 8 waiting" Channel<u32, 4, CriticalSectionRawMutex>;
        "`ChannelSender`, and `ChannelReceiver`" ChannelSender<'static, u32, 4>;
        "`MessageSender` of 64 bytes, beside its stream" MessageSender<Nothing, LengthPrefixed<2>, 64>;
        "`MessageReceiver` of 64 bytes, length-prefixed" MessageReceiver<Nothing, LengthPrefixed<2>, 64>;
        "`MessageReceiver` of 64 bytes, delimited" MessageReceiver<Nothing, Delimited, 64>;
        "`Server` with 1 place, beside its listener" Server<Lines, EmbassyClock, (), (), 1>;
        "`Server` with 8 places" Server<Lines, EmbassyClock, (), (), 8>;
        "`Listeners` of 2, beside them" Listeners<Lines, 2>;
        "`tacket_embassy::TcpStream`" TcpStream;
        "`tacket_embassy::TcpListener`" TcpListener;
        "`tacket_embassy::Net`" Net;
    }
    let channel = Channel::<u32, 4>::new();
    let Some((tx, rx)) = channel.open() else {
        return false;
    };
    let mut line = tacket_firmware_parts::line();
    futures! {
        "`ChannelSender::send` of a `u32`" tx.send(1);
        "`ChannelReceiver::receive` of a `u32`" rx.receive();
        "`send_all`, to a stream of no size" line.send_all(b"hello");
        "`receive_some`" line.receive_some(&mut [0]);
    }
    let server = Server::<_, _, _>::new(Lines(0), EmbassyClock::new(), talk::<Line>);
    let slot = (size_of_val(&server.run::<5>()) - size_of_val(&server.run::<1>())) / 4;
    report!("slot {slot} of a handler, in `Server::run`");
    futures! {
        "of that handler" talk(line);
        "`Server::run` with one of it" server.run::<1>();
        "`Server::worker` with it" server.worker();
        "of the program `timeout`" tacket_firmware_parts::timeout();
        "of the program `channel`" tacket_firmware_parts::channel();
        "of the program `generator`" tacket_firmware_parts::generator();
        "of the program `length_prefixed`" tacket_firmware_parts::length_prefixed();
        "of the program `serve_one`" tacket_firmware_parts::serve_one();
        "of the program `serve_four`" tacket_firmware_parts::serve_four();
    }
    report!("that is all");
    true
}
