//! Tunnels through a proxy.

use tacket::Stream;

use super::error::HttpError;
use super::head::{HeadReader, is_visible, write};

/// Asks the proxy at the other end of `stream` for a tunnel to `target`, a `host:port`.
///
/// Returns the stream, which leads to the target from then on. The request is made in `buffer`, which then takes the
/// lines of the answer.
///
/// # Errors
///
/// An [`HttpError`]; [`Refused`](HttpError::Refused) if the proxy answers, but makes no tunnel. The stream is dropped then.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully.
///
/// # Examples
///
/// ```
/// use tacket::Stream;
/// use tacket_examples::http;
///
/// /// An echo over a tunnel is an echo: the protocol does not notice.
/// async fn far_echo<S: Stream>(proxy: S) -> Option<u64> {
///     let tunnel = http::connect(proxy, "far.example:7", &mut [0; 512]).await.ok()?;
///     tacket_examples::echo::serve(tunnel, &mut [0; 64]).await.ok()
/// }
/// ```
pub async fn connect<S: Stream>(
    mut stream: S,
    target: &str,
    buffer: &mut [u8],
) -> Result<S, HttpError<S::Error>> {
    let head = format_args!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let request = write(buffer, head).filter(|_| is_visible(target));
    let request = request.ok_or(HttpError::InvalidRequest)?;
    stream.send_all(request).await.map_err(HttpError::Stream)?;
    let mut head = HeadReader::new(&mut stream);
    let status = head.final_status(buffer).await?;
    // What these say about a body does not count.
    head.skip_fields(buffer).await?;
    match status {
        200..=299 => Ok(stream),
        status => Err(HttpError::Refused { status }),
    }
}

/// A proxy's view of a client that asks for a tunnel.
///
/// ```
/// use tacket::Stream;
/// use tacket_examples::http::{ConnectRequest, HttpError};
/// use tacket_examples::relay;
///
/// /// A proxy that leads everybody to the same place.
/// async fn lead<C: Stream, T: Stream>(client: C, target: T) -> Result<(), HttpError<C::Error>> {
///     let (mut there, mut back) = ([0; 512], [0; 512]);
///     let request = ConnectRequest::receive(client, &mut there).await?;
///     let tunnel = request.accept().await?;
///     relay(tunnel, target, &mut there, &mut back).await.ok();
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct ConnectRequest<'b, S> {
    stream: S,
    target: &'b str,
}

impl<'b, S: Stream> ConnectRequest<'b, S> {
    /// Receives the request of the client at the other end of `stream`, into `buffer`.
    ///
    /// # Errors
    ///
    /// An [`HttpError`]; a request of another kind is [`Malformed`](HttpError::Malformed). The stream is dropped then.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, it closes the stream forcefully.
    pub async fn receive(mut stream: S, buffer: &'b mut [u8]) -> Result<Self, HttpError<S::Error>> {
        let mut head = HeadReader::new(&mut stream);
        let length = head.line(buffer).await?;
        let (line, rest) = buffer.split_at_mut_checked(length).unwrap_or_default();
        let target = parse_request(line).ok_or(HttpError::malformed("not a CONNECT request"))?;
        head.skip_fields(rest).await?;
        Ok(Self { stream, target })
    }

    /// Where the client wants to go, as `host:port`.
    #[must_use]
    pub const fn target(&self) -> &'b str {
        self.target
    }

    /// Tells the client that the tunnel stands, and returns the stream that is its near end.
    ///
    /// # Errors
    ///
    /// [`HttpError::Stream`]: the stream failed. It is dropped then.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, it closes the stream forcefully.
    pub async fn accept(mut self) -> Result<S, HttpError<S::Error>> {
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
        let sent = self.stream.send_all(answer).await;
        sent.map_err(HttpError::Stream)?;
        Ok(self.stream)
    }

    /// Tells the client that the target cannot be reached, and closes.
    ///
    /// # Errors
    ///
    /// [`HttpError::Stream`]: the stream failed. It is dropped then.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped, it closes the stream forcefully.
    pub async fn refuse(mut self) -> Result<(), HttpError<S::Error>> {
        let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        let sent = self.stream.send_all(answer).await;
        sent.map_err(HttpError::Stream)?;
        self.stream.close().await.map_err(HttpError::Stream)
    }
}

fn parse_request(line: &[u8]) -> Option<&str> {
    let line = str::from_utf8(line).ok()?;
    let target = line.strip_prefix("CONNECT ")?.strip_suffix(" HTTP/1.1")?;
    is_visible(target).then_some(target)
}
