//! Fetching something.

use core::fmt;

use tacket::Stream;

use super::body::{Body, Framing, Next};
use super::error::HttpError;
use super::head::{HeadReader, is_visible, write};

/// Asks the server at the other end of `stream` for `target`, a path with or without a query, and receives the head of the answer.
///
/// `host` is the server's name, with a port unless that is the usual one. The request is made in `buffer`, which then
/// takes the lines of the answer. It is the only request on this stream. Redirections are answers like any other.
///
/// Over TLS use a stream that insists on TLS's own end. A body that tells its length is whole without that end, which is then
/// never asked for; and for a body that does not, TLS's end is the only proof that it is whole.
///
/// # Errors
///
/// An [`HttpError`]. The stream is dropped then.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the stream forcefully.
///
/// # Examples
///
/// ```
/// use tacket::Stream;
/// use tacket_examples::http::{self, HttpError};
///
/// /// How long the front page of a server is.
/// async fn measure<S: Stream>(server: S) -> Result<usize, HttpError<S::Error>> {
///     let mut buffer = [0; 1024];
///     let mut page = http::get(server, "www.example.org", "/", &mut buffer).await?;
///     let mut length = 0;
///     loop {
///         match page.receive_some(&mut buffer).await? {
///             0 => break,
///             count => length += count,
///         }
///     }
///     page.close().await?;
///     Ok(length)
/// }
/// ```
pub async fn get<S: Stream>(
    mut stream: S,
    host: &str,
    target: &str,
    buffer: &mut [u8],
) -> Result<Response<S>, HttpError<S::Error>> {
    let valid = is_visible(host) && is_visible(target) && target.starts_with('/');
    let head = format_args!(
        "GET {target} HTTP/1.1\r\n\
         Host: {host}\r\n\
         User-Agent: tacket\r\n\
         Accept: */*\r\n\
         Connection: close\r\n\
         \r\n"
    );
    let request = write(buffer, head).filter(|_| valid);
    let request = request.ok_or(HttpError::InvalidRequest)?;
    stream.send_all(request).await.map_err(HttpError::Stream)?;
    let mut head = HeadReader::new(&mut stream);
    let status = head.final_status(buffer).await?;
    let mut framing = Framing::default();
    while let Some((name, value)) = head.field(buffer).await? {
        framing
            .field(name, value)
            .ok_or(HttpError::malformed("the length of the body"))?;
    }
    Ok(Response {
        stream,
        status,
        body: framing.body(status),
    })
}

/// An answer, whose body is still to be received.
pub struct Response<S> {
    stream: S,
    status: u16,
    body: Body,
}

impl<S: Stream> Response<S> {
    /// The status, from 200 to 599.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Receives some bytes of the body into `buf` and returns how many.
    ///
    /// `Ok(0)` for a non-empty `buf` is the end of a body that is whole, and stays so.
    ///
    /// # Errors
    ///
    /// [`HttpError::EndedEarly`]: the peer ended before the length that it had announced. [`HttpError::Malformed`]: its chunks
    /// make no sense. [`HttpError::Stream`]: the stream failed, or `buf` is empty. Nothing makes sense after an error.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has lost nothing.
    pub async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, HttpError<S::Error>> {
        loop {
            let mut byte = [0];
            let (room, is_data) = match self.body.next() {
                Next::End => return Ok(0),
                Next::Data(most) => {
                    let most = usize::try_from(most).unwrap_or(usize::MAX);
                    let length = buf.len().min(most);
                    (buf.get_mut(..length).unwrap_or_default(), true)
                }
                Next::Frame => (&mut byte[..], false),
            };
            let received = self.stream.receive_some(room).await;
            match received.map_err(HttpError::Stream)? {
                0 if self.body.stream_ended() => return Ok(0),
                0 => return Err(HttpError::EndedEarly),
                count if is_data => {
                    self.body.received(count as u64);
                    return Ok(count);
                }
                _ => {
                    let [byte] = byte;
                    let framed = self.body.frame(byte);
                    framed.ok_or(HttpError::malformed("the chunks of the body"))?;
                }
            }
        }
    }

    /// Closes the stream, wherever the body is.
    ///
    /// # Errors
    ///
    /// [`HttpError::Stream`]: the stream could not be closed gracefully.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it has closed the stream forcefully.
    pub async fn close(self) -> Result<(), HttpError<S::Error>> {
        self.stream.close().await.map_err(HttpError::Stream)
    }
}

impl<S> fmt::Debug for Response<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
