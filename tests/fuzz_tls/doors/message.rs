//! Messages of the handshake, as far as changing them needs to know them (RFC 8446, 4; RFC 5246, 7.4).

/// Type and length.
const HEADER: usize = 4;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;

/// A message of this type with this body.
pub(super) fn message(typ: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![typ, 0, 0, 0];
    message.extend_from_slice(body);
    mend_length(&mut message);
    message
}

/// Makes the length in the header the real one.
pub(super) fn mend_length(message: &mut [u8]) {
    let length = message.len().saturating_sub(HEADER);
    let [_, high, middle, low] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(header) = message.first_chunk_mut::<HEADER>() {
        let [typ, ..] = *header;
        *header = [typ, high, middle, low];
    }
}

/// The length of the first message in `content`, if all of it is there.
pub(super) fn first_message(content: &[u8]) -> Option<usize> {
    let &[_, high, middle, low] = content.first_chunk::<HEADER>()?;
    let length = HEADER + usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
    (content.len() >= length).then_some(length)
}

/// A list with its length before it: where it begins, and how many bytes its length takes.
#[derive(Clone, Copy)]
struct List {
    at: usize,
    width: usize,
}

impl List {
    fn length(self, message: &[u8]) -> Option<usize> {
        let bytes = message.get(self.at..self.at + self.width)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    }

    fn end(self, message: &[u8]) -> Option<usize> {
        Some(self.at + self.width + self.length(message)?)
    }

    fn content(self, message: &[u8]) -> Option<&[u8]> {
        message.get(self.at + self.width..self.end(message)?)
    }

    fn replace(self, message: &mut Vec<u8>, content: &[u8]) -> Option<()> {
        let end = self.end(message).filter(|end| *end <= message.len())?;
        let length = content.len().to_be_bytes();
        let length = length.iter().skip(length.len() - self.width);
        let list: Vec<_> = length.chain(content).copied().collect();
        message.splice(self.at..end, list);
        mend_length(message);
        Some(())
    }
}

/// The lists of a hello before its extensions, and those: session, suites and compressions of a client, the session of a server.
fn lists(message: &[u8]) -> Option<(Vec<List>, List)> {
    let wide = |at| List { at, width: 2 };
    let narrow = |at| List { at, width: 1 };
    let hello = HEADER + 2 + 32;
    Some(match *message.first()? {
        CLIENT_HELLO => {
            let session = narrow(hello);
            let suites = wide(session.end(message)?);
            let compressions = narrow(suites.end(message)?);
            let extensions = wide(compressions.end(message)?);
            (vec![session, suites, compressions], extensions)
        }
        SERVER_HELLO => {
            let session = narrow(hello);
            (vec![session], wide(session.end(message)? + 3))
        }
        ENCRYPTED_EXTENSIONS => (vec![], wide(HEADER)),
        CERTIFICATE_REQUEST => {
            let context = narrow(HEADER);
            (vec![context], wide(context.end(message)?))
        }
        NEW_SESSION_TICKET => {
            let nonce = narrow(HEADER + 8);
            let ticket = wide(nonce.end(message)?);
            (vec![nonce, ticket], wide(ticket.end(message)?))
        }
        _ => return None,
    })
}

/// Makes `content` one of the lists of a message.
pub(super) fn replace_list(message: &mut Vec<u8>, which: usize, content: &[u8]) {
    let list = lists(message).and_then(|(lists, _)| {
        let count = lists.len().max(1);
        lists.get(which % count).copied()
    });
    list.and_then(|list| list.replace(message, content));
}

/// Lets `change` change the extensions of a message.
pub(super) fn change_extensions(
    message: &mut Vec<u8>,
    change: impl FnOnce(&mut Vec<(u16, Vec<u8>)>),
) {
    let Some((_, list)) = lists(message) else {
        return;
    };
    let Some(mut rest) = list.content(message) else {
        return;
    };
    let mut extensions = Vec::new();
    while let Some(&[high, low, long, short]) = rest.first_chunk::<4>() {
        let end = 4 + usize::from(u16::from_be_bytes([long, short]));
        let Some(body) = rest.get(4..end) else {
            return;
        };
        extensions.push((u16::from_be_bytes([high, low]), body.to_vec()));
        rest = rest.get(end..).unwrap_or_default();
    }
    change(&mut extensions);
    let mut content = Vec::new();
    for (typ, body) in extensions {
        content.extend(typ.to_be_bytes());
        content.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        content.extend(body);
    }
    list.replace(message, &content);
}
