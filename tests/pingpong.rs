//! A ping-pong of 64 bytes between two tasks over TCP.

use tacket::{AsyncResource, Listener as _, LocalAddress as _, ReceiveStream, SendStream};
use tacket_std::{IoError, TcpListener, TcpStream};

/// The length of a ball.
const BALL: usize = 64;

/// Plays `rounds` rounds between two tasks of this thread, and calls `after_round` after each.
///
/// Both sides receive into a buffer larger than a ball, so that a receive shows that the socket is empty.
///
/// # Errors
///
/// A socket failed.
///
/// # Panics
///
/// If the address of the loopback interface is not one.
#[expect(clippy::expect_used, reason = "the address is a literal")]
pub fn pingpong(rounds: u32, mut after_round: impl FnMut() + 'static) -> Result<(), IoError> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    let address = listener.local_addr()?;
    tacket_std::run(async {
        let server = tacket_std::spawn(async move {
            let mut stream = listener.accept().await?;
            let mut ball = [0; 4 * BALL];
            while receive_ball(&mut stream, &mut ball).await? {
                stream.send_all(&ball[..BALL]).await?;
            }
            stream.close().await
        });
        let client = tacket_std::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut ball = [7; 4 * BALL];
            for _ in 0..rounds {
                stream.send_all(&ball[..BALL]).await?;
                receive_ball(&mut stream, &mut ball).await?;
                after_round();
            }
            stream.close().await
        });
        client.await?;
        server.await
    })?
}

/// Receives one ball; `false` at the end of the stream.
async fn receive_ball(stream: &mut TcpStream, ball: &mut [u8]) -> Result<bool, IoError> {
    let mut filled = 0;
    while filled < BALL {
        let (_, room) = ball.split_at_mut(filled);
        match stream.receive_some(room).await? {
            0 => return Ok(false),
            count => filled += count,
        }
    }
    Ok(true)
}
