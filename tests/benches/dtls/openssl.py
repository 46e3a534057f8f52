"""OpenSSL's DTLS 1.2 by its Python bindings: both ends in one thread, over UDP on loopback.

Standard input: the server's certificate and its key, in hexadecimal DER, a line each.
Arguments: "handshakes" or "round-trips", bytes of a message, how many laps.
Prints the processor time of a lap, in seconds.
"""
import socket
import sys
import time

from OpenSSL import SSL, crypto

COOKIE = b"this is not measured as a cookie"
MTU = 1472


class End:
    """One end, whose socket is connected to the other's."""

    def __init__(self, sock, context, is_server):
        self.sock = sock
        self.tls = SSL.Connection(context, None)
        self.tls.set_ciphertext_mtu(MTU)
        self.tls.set_accept_state() if is_server else self.tls.set_connect_state()
        self.is_done = False

    def flush(self):
        try:
            self.sock.send(self.tls.bio_read(1 << 16))
        except SSL.WantReadError:
            pass

    def shake_hands(self):
        """One turn of the handshake."""
        try:
            self.tls.do_handshake()
            self.is_done = True
        except SSL.WantReadError:
            pass
        self.flush()

    def take(self):
        self.tls.bio_write(self.sock.recv(1 << 16))

    def send(self, message):
        self.tls.send(message)
        self.flush()

    def receive(self):
        """The next message; None is the end."""
        self.take()
        try:
            return self.tls.recv(1 << 16)
        except SSL.ZeroReturnError:
            return None


def context(certificate, key=None):
    made = SSL.Context(SSL.DTLS_METHOD)
    made.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305")
    made.set_options(SSL.OP_NO_QUERY_MTU)
    if key:
        made.use_certificate(certificate)
        made.use_privatekey(key)
        made.set_options(SSL.OP_COOKIE_EXCHANGE)
        made.set_cookie_generate_callback(lambda _: COOKIE)
        made.set_cookie_verify_callback(lambda _, cookie: cookie == COOKIE)
    else:
        trusted = made.get_cert_store()
        trusted.add_cert(certificate)
        trusted.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # it is the server's own
        made.set_verify(SSL.VERIFY_PEER, None)
    return made


def established(sockets, contexts):
    client, server = (End(*end) for end in zip(sockets, contexts, [False, True]))
    client.shake_hands()
    ends = [server, client]
    while not (client.is_done and server.is_done):
        ends[0].take()
        ends[0].shake_hands()
        ends.reverse()
    return client, server


def round_trip(client, server, message):
    client.send(message)
    server.send(server.receive())
    if client.receive() != message:
        sys.exit("another message came back")


def main():
    workload, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    certificate, key = (bytes.fromhex(line) for line in sys.stdin)
    certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, certificate)
    key = crypto.load_privatekey(crypto.FILETYPE_ASN1, key)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
    for sock, other in zip(sockets, reversed(sockets)):
        sock.connect(other.getsockname())
    contexts = [context(certificate), context(certificate, key)]
    messages = (number.to_bytes(8, "little") * (size // 8) for number in range(2 * count + 1))

    ends = established(sockets, contexts)
    round_trip(*ends, next(messages))  # what is made once is there
    before = time.process_time()
    for _ in range(count):
        if workload == "handshakes":
            ends = established(sockets, contexts)
        round_trip(*ends, next(messages))
        if workload == "handshakes":
            ends[0].tls.shutdown()
            ends[0].flush()
            if ends[1].receive() is not None:
                sys.exit("no end came")
    print((time.process_time() - before) / count)


main()
