//! DER as a tree (X.690), to change it so that the lengths around a change are still right.

use crate::fuzz_tls::input::Input;

const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const EXTENSIONS: u8 = 0xa3;
const VERSION: u8 = 0xa0;

/// Is set in the tag of what has others in it.
const CONSTRUCTED: u8 = 0x20;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) tag: u8,
    pub(super) inside: Inside,
}

#[derive(Clone, Debug)]
pub(super) enum Inside {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

impl Node {
    pub(super) const fn bytes(tag: u8, bytes: Vec<u8>) -> Self {
        let inside = Inside::Bytes(bytes);
        Self { tag, inside }
    }

    pub(super) fn nodes(&self) -> &[Self] {
        match &self.inside {
            Inside::Nodes(nodes) => nodes,
            Inside::Bytes(_) => &[],
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let content = match &self.inside {
            Inside::Bytes(bytes) => bytes.clone(),
            Inside::Nodes(nodes) => write(nodes),
        };
        let mut der = vec![self.tag];
        let length = content.len().to_be_bytes();
        let zeros = length.iter().take_while(|byte| **byte == 0).count();
        match content.len() {
            short @ 0..0x80 => der.extend(u8::try_from(short)),
            _ => {
                der.extend(u8::try_from(0x80 + length.len() - zeros));
                der.extend(length.iter().skip(zeros));
            }
        }
        der.extend(content);
        der
    }
}

pub(super) fn write(nodes: &[Node]) -> Vec<u8> {
    nodes.iter().flat_map(Node::write).collect()
}

/// All of `der`. Strings of bytes that are DER themselves are read too.
pub(super) fn read(mut der: &[u8]) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while let [tag, length, rest @ ..] = der {
        let (length, rest) = match length {
            ..=0x7f => (usize::from(*length), rest),
            0x81 => {
                let (length, rest) = rest.split_first()?;
                (usize::from(*length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let has_parts = *tag & CONSTRUCTED != 0 || *tag == OCTET_STRING && !content.is_empty();
        // Not everybody looks into everything, so what is inside may be nonsense.
        let parts = if has_parts { read(content) } else { None };
        let inside = parts.map_or_else(|| Inside::Bytes(content.to_vec()), Inside::Nodes);
        nodes.push(Node { tag: *tag, inside });
        der = rest;
    }
    der.is_empty().then_some(nodes)
}

/// The parts of what is signed in a certificate: version, number, algorithm, issuer, validity, subject, key, and more.
fn fields(certificate: &[u8]) -> Option<Vec<Node>> {
    let certificate = read(certificate)?;
    let signed = certificate.first()?.nodes().first()?;
    Some(signed.nodes().to_vec())
}

/// The `SubjectPublicKeyInfo` of a certificate.
pub(super) fn key_info(certificate: &[u8]) -> Option<Vec<u8>> {
    let mut fields = fields(certificate)?;
    fields.retain(|field| field.tag != VERSION);
    fields.get(5).map(Node::write)
}

/// The key of a certificate: what is said of its kind, and itself.
pub(super) fn public_key(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let info = read(&key_info(certificate)?)?;
    let [kind, key] = info.first()?.nodes() else {
        return None;
    };
    match &key.inside {
        Inside::Bytes(bits) if bits.first() == Some(&0) => {
            let key = bits.get(1..)?;
            Some((write(kind.nodes()), key.to_vec()))
        }
        _ => None,
    }
}

/// What the extension `2.5.29.id` of a certificate says, by its outermost parts. `None`: there is none.
pub(super) fn extension(certificate: &[u8], id: u8) -> Option<Vec<Node>> {
    let fields = fields(certificate)?;
    let list = fields.iter().find(|field| field.tag == EXTENSIONS)?;
    let list = list.nodes().first().filter(|list| list.tag == SEQUENCE)?;
    let wanted = Node::bytes(OID, vec![0x55, 0x1d, id]).write();
    list.nodes().iter().find_map(|extension| {
        let parts = extension.nodes();
        (parts.first()?.write() == wanted).then_some(())?;
        Some(parts.last()?.nodes().to_vec())
    })
}

/// What is done to DER.
#[derive(Clone, Debug)]
pub(super) enum DerEdit {
    Remove(u8),
    Repeat(u8),
    Swap(u8, u8),
    Retag(u8, u8),
    Fill(u8, Vec<u8>),
    Flip {
        at: u16,
        bits: u8,
    },
    Splice {
        at: u16,
        removed: u8,
        bytes: Vec<u8>,
    },
    Replace {
        at: u16,
        bytes: Vec<u8>,
    },
}

impl DerEdit {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        match input.byte() % 8 {
            0 => Self::Remove(input.byte()),
            1 => Self::Repeat(input.byte()),
            2 => Self::Swap(input.byte(), input.byte()),
            3 => Self::Retag(input.byte(), input.byte()),
            4 => Self::Fill(input.byte(), input.counted_bytes()),
            5 => Self::Flip {
                at: input.wide(),
                bits: input.byte(),
            },
            6 => Self::Splice {
                at: input.wide(),
                removed: input.byte(),
                bytes: input.counted_bytes(),
            },
            _ => Self::Replace {
                at: input.wide(),
                bytes: input.counted_bytes(),
            },
        }
    }

    pub(super) fn apply(&self, der: &mut Vec<u8>) {
        match self {
            Self::Flip { at, bits } => {
                let at = usize::from(*at) % der.len().max(1);
                if let Some(byte) = der.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Splice { at, removed, bytes } => {
                let at = usize::from(*at) % (der.len() + 1);
                let end = der.len().min(at + usize::from(*removed));
                der.splice(at..end, bytes.iter().copied());
            }
            Self::Replace { at, bytes } => {
                let at = usize::from(*at) % (der.len() + 1);
                let end = der.len().min(at + bytes.len());
                der.splice(at..end, bytes.iter().copied());
            }
            _ => {
                if let Some(mut nodes) = read(der) {
                    self.apply_to(&mut nodes);
                    *der = write(&nodes);
                }
            }
        }
    }

    fn apply_to(&self, nodes: &mut Vec<Node>) {
        let count = count(nodes).max(1);
        let change =
            |nodes: &mut Vec<Node>, which: u8, change: &mut dyn FnMut(&mut Vec<Node>, usize)| {
                let mut left = usize::from(which) % count;
                at(nodes, &mut left, change);
            };
        match self {
            Self::Remove(which) => change(nodes, *which, &mut |nodes, at| {
                nodes.remove(at);
            }),
            Self::Repeat(which) => change(nodes, *which, &mut |nodes, at| {
                let again = nodes.get(at).cloned();
                nodes.extend(again);
            }),
            Self::Swap(which, with) => change(nodes, *which, &mut |nodes, at| {
                let other = usize::from(*with) % nodes.len();
                nodes.swap(at, other);
            }),
            Self::Retag(which, tag) => change(nodes, *which, &mut |nodes, at| {
                if let Some(node) = nodes.get_mut(at) {
                    node.tag = *tag;
                }
            }),
            Self::Fill(which, bytes) => change(nodes, *which, &mut |nodes, at| {
                if let Some(node) = nodes.get_mut(at) {
                    node.inside = Inside::Bytes(bytes.clone());
                }
            }),
            _ => {}
        }
    }
}

fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(node.nodes())).sum()
}

/// Changes the list that has a node, which is known by how many are before it.
fn at(
    nodes: &mut Vec<Node>,
    left: &mut usize,
    change: &mut dyn FnMut(&mut Vec<Node>, usize),
) -> bool {
    for place in 0..nodes.len() {
        if *left == 0 {
            change(nodes, place);
            return true;
        }
        *left -= 1;
        let inside = nodes.get_mut(place).map(|node| &mut node.inside);
        if let Some(Inside::Nodes(inner)) = inside
            && at(inner, left, change)
        {
            return true;
        }
    }
    false
}
